import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { BUNDLED_MODELS, isBundled } from '../engine/models/bundled-models.ts';
import type { ModelSource } from '../engine/api.ts';
import { NvlmError } from '../errors.ts';
import { parseHubAddress, parseHubId } from '../weights/hub-address.ts';
import type { HubOptions } from '../weights/hub.ts';

export const MODEL_HELP = 'bundled id, folder, address, or Hugging Face id (org/name, org/name@revision)';

/** As Hugging Face's own tools do: `HF_ENDPOINT` names a mirror, `HF_TOKEN` opens private and gated repositories. */
export function hubOptions(): HubOptions {
  return { endpoint: process.env['HF_ENDPOINT'] || undefined, token: process.env['HF_TOKEN'] || undefined };
}

/**
 * What `--model` names. A bundled id comes before a folder of the same name (`./nano-d` is the folder), a folder before
 * a Hugging Face id.
 * @throws NvlmError `not-found`
 */
export async function modelSource(name: string): Promise<ModelSource> {
  if (isBundled(name)) return { kind: 'bundled', id: name };
  if (/^https?:\/\//i.test(name)) return behindAddress(name);
  const found = await stat(name).catch(() => null);
  if (found?.isDirectory()) return { kind: 'folder', path: resolve(name) };
  const model = found ? null : parseHubId(name);
  if (model) return { kind: 'hub', ...model };
  const bundled = BUNDLED_MODELS.map(({ id }) => id).join(', ');
  throw new NvlmError(
    'not-found',
    found ? `"${name}" is a file, not a model folder.` : `There is no model "${name}".`,
    `Give a bundled model (${bundled}), a folder, an address, or a Hugging Face id such as nvidia/NVLM-D-72B.`,
  );
}

/** The address of a model's page on Hugging Face stands for its files. */
function behindAddress(name: string): ModelSource {
  if (!URL.canParse(name)) throw new NvlmError('usage', `"${name}" is not an address.`, 'Give it as https://host/folder.');
  const model = parseHubAddress(name, hubOptions().endpoint);
  return model ? { kind: 'hub', ...model } : { kind: 'url', url: name };
}
