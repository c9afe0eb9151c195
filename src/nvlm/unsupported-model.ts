import { NvlmError } from '../errors.ts';

/** @param name what a config.json calls the architecture */
export function unsupportedModel(name: string): NvlmError {
  return new NvlmError(
    'unsupported-model',
    `config.json describes "${name}", which is not an architecture this engine knows.`,
    'Use an NVLM-D, NVLM-X or NVLM-H folder, an InternVL or SmolVLM model, or a plain Qwen2, Qwen3 or Llama text model.',
  );
}
