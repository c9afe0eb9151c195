import type { NvlmConfig } from '../../nvlm/config.ts';
import type { Tokenizer } from '../../text/types.ts';
import type { ModelFolder } from '../../weights/model-folder.ts';

/** What stands in the sequence for a visual token: NVLM uses Qwen2's pad token, InternVL one of its own (nvlm-facts §2.3, §3.5). */
const IMAGE_TOKENS = ['<IMG_CONTEXT>', '<|vision_pad|>', '<image>'];

export function imageTokenIdOf(config: NvlmConfig, tokenizer: Tokenizer): number | null {
  if (config.imageTokenId !== null || !config.vision) return config.imageTokenId;
  for (const token of IMAGE_TOKENS) {
    const id = tokenizer.idOf(token);
    if (id !== undefined) return id;
  }
  return null;
}

/** Ids that end an answer: the generation config's, the tokenizer's end of turn, ChatML's. */
export function stopIdsOf(folder: ModelFolder, tokenizer: Tokenizer | null): ReadonlySet<number> {
  const declared = folder.generationConfig?.eos_token_id;
  const ids = (Array.isArray(declared) ? declared : [declared]).filter((id) => typeof id === 'number');
  const eos = folder.tokenizerConfig?.eos_token;
  const texts = [eos, '<|im_end|>', '<|endoftext|>', '<|eot_id|>'].filter((token) => typeof token === 'string');
  return new Set([...ids, ...texts.map((token) => tokenizer?.idOf(token)).filter((id) => id !== undefined)]);
}
