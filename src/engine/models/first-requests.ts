import { rangeRequest, wholeRequest } from '../../weights/http-requests.ts';
import type { ModelRequest } from '../engine-start.ts';
import { isBundled } from './bundled-models.ts';

/** The file that a bundled model's weights begin with. A test holds these names to the folders. */
const WEIGHTS = 'model-00001-of-00002.safetensors';
const SMALL = [
  'manifest.json',
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'model.safetensors.index.json',
];

/**
 * What the load of a bundled model asks for first when nothing of it is stored, so that it can be asked for at once; nothing for any
 * other model.
 */
export function firstRequests(id: string): ModelRequest[] {
  if (!isBundled(id)) return [];
  // The largest before the others, for a browser has but few connections to a host.
  return [{ path: `${id}/${WEIGHTS}`, init: rangeRequest(0) }, ...SMALL.map((file) => ({ path: `${id}/${file}`, init: wholeRequest }))];
}
