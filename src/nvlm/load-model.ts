import type { ModelFolder } from '../weights/model-folder.ts';
import { loadWeights, type LoadWeightsOptions } from './load-weights.ts';
import { NvlmModel } from './model.ts';
import { OffloadedWeights, type OffloadOptions } from './offloaded-weights.ts';
import { configOf } from './parse-config.ts';

/**
 * The model of a folder, on the current tfjs backend.
 *
 * @param imageTokenId when config.json does not name it: what the tokenizer says
 * @throws NvlmError `bad-model`, `unsupported-model`, `network`, `corrupt-file`, `cancelled`
 */
export async function loadModel(
  folder: ModelFolder,
  options: LoadWeightsOptions & { offload?: OffloadOptions },
  imageTokenId: number | null = null,
): Promise<NvlmModel> {
  const config = configOf(folder);
  const network = (await config.family.network?.()) ?? null;
  const { offload } = options;
  const weights = offload ? new OffloadedWeights(folder, config, options, offload) : await loadWeights(folder, config, options);
  return new NvlmModel(config, weights, config.imageTokenId ?? imageTokenId, network);
}
