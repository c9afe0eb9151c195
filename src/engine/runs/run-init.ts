import { NvlmError } from '../../errors.ts';
import type { Folder } from '../../files/folder.ts';
import { ADAPTER_CONFIG } from '../../nvlm/adapters/adapter-config.ts';
import { ADAPTER_WEIGHTS } from '../../nvlm/adapters/peft.ts';
import type { RunConfig } from '../../training/run-config.ts';
import { adapterFilesOf, type AdapterFiles } from '../adapters/adapter.ts';

/**
 * Folder of the adapter that a run began with, in the run's own, so that the run goes on when that adapter is gone, and
 * elsewhere.
 */
export const INIT = 'init';
export const INIT_FILES = [`${INIT}/${ADAPTER_CONFIG}`, `${INIT}/${ADAPTER_WEIGHTS}`] as const;

/**
 * The adapter that a run begins with; null = a fresh one. A run that was brought in without it has what it had made of
 * it by its last checkpoint.
 *
 * @throws NvlmError `not-found`, `bad-model`
 */
export async function openInit(output: Folder, { lora }: Pick<RunConfig, 'lora'>): Promise<AdapterFiles | null> {
  if (!lora?.init) return null;
  for (const [configFile, weightsFile] of [INIT_FILES, [ADAPTER_CONFIG, ADAPTER_WEIGHTS] as const]) {
    const config = await output.read(configFile);
    const weights = await output.read(weightsFile);
    if (config && weights) return adapterFilesOf(config, weights);
  }
  throw new NvlmError(
    'not-found',
    'The adapter that this run begins with did not come along.',
    `Bring the run in with its folder "${INIT}", or start another from an adapter of this browser.`,
  );
}
