import { join } from 'node:path';
import type { AdapterFiles } from '../engine/adapter.ts';
import { NvlmError } from '../errors.ts';
import { parseSafetensors } from '../weights/safetensors.ts';
import { readInput } from './input-files.ts';

export const ADAPTER_HELP = 'folder of a PEFT LoRA adapter to put on the model';

const MOST_CONFIG_BYTES = 2 ** 20;
const MOST_ADAPTER_BYTES = 2 ** 32;

/** @throws NvlmError `not-found`, `bad-model` */
export async function readAdapterFolder(folder: string): Promise<AdapterFiles> {
  const configFile = join(folder, 'adapter_config.json');
  const weightsFile = join(folder, 'adapter_model.safetensors');
  const text = new TextDecoder().decode(await readInput(configFile, MOST_CONFIG_BYTES));
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch (cause) {
    throw new NvlmError('bad-model', `${configFile} is not JSON.`, 'Get the adapter again, or export it again.', {
      cause,
    });
  }
  return { config, tensors: parseSafetensors(await readInput(weightsFile, MOST_ADAPTER_BYTES), weightsFile) };
}
