import { NvlmError } from '../errors.ts';

/** What architectures that people bring are, by parts of the names that their config.json files give them; the first that fits counts. */
const KINDS: readonly (readonly [RegExp, string])[] = [
  [/moe|mixtral|gpt_?oss|deepseek_v[23]/i, 'a mixture of experts'],
  [/fastvit|fastvlm|mobileclip|llava_qwen2/i, 'a FastViT encoder'],
  [/qwen2(_5)?_?vl|qwen3_?vl|qwen2_5_?omni/i, 'an encoder of any picture size with rotary positions in three axes'],
  [/mllama/i, 'cross-attention with tiles of another layout'],
  [/mamba|rwkv|lfm2|granitemoehybrid|falcon_h1/i, 'a recurrent decoder'],
  [/gemma|phi|internlm|mistral|gpt|bloom|falcon|olmo|cohere|glm/i, 'another decoder'],
  [/llava|idefics2|paligemma|clip|siglip|moondream/i, 'another encoder or connector'],
];

/** @param name what a config.json calls the architecture, its encoder's name behind it where there is one */
export function unsupportedModel(name: string): NvlmError {
  const kind = KINDS.find(([pattern]) => pattern.test(name))?.[1];
  return new NvlmError(
    'unsupported-model',
    `config.json describes "${name}"${kind ? `: ${kind}` : ''}, which is not an architecture this engine knows.`,
    'Use an NVLM-D, NVLM-X or NVLM-H folder, an InternVL, SmolVLM or nanoVLM model, or a plain Qwen2, Qwen3 or Llama text model.',
  );
}
