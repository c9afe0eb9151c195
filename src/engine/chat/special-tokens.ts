import type { NvlmConfig } from '../../nvlm/config.ts';
import { tokenContent } from '../../text/chat-template.ts';
import type { Tokenizer } from '../../text/types.ts';
import type { ModelFolder } from '../../weights/model-folder.ts';
import { isJsonObject } from '../../weights/strict-json.ts';

/** What stands in the sequence for a visual token. */
export function imageTokenIdOf(config: NvlmConfig, tokenizer: Tokenizer): number | null {
  if (config.imageTokenId !== null || !config.vision) return config.imageTokenId;
  for (const token of config.family.imageTokens) {
    const id = tokenizer.idOf(token);
    if (id !== undefined) return id;
  }
  return null;
}

/** Turns and documents end with these in every tokenizer that has them, whatever its configuration says. */
const ENDS = ['<|im_end|>', '<|endoftext|>', '<|eot_id|>'];

/**
 * Ids that end an answer: those that generation_config.json, tokenizer_config.json or config.json (its text model's part
 * too) name, and the usual ends of turns. Any one of the files may be the only one that says it.
 */
export function stopIdsOf(
  { config, generationConfig, tokenizerConfig }: Pick<ModelFolder, 'config' | 'generationConfig' | 'tokenizerConfig'>,
  tokenizer: Tokenizer | null,
): ReadonlySet<number> {
  const declaring = [generationConfig, config, config.text_config, config.llm_config].filter(isJsonObject);
  const ids = declaring.flatMap(({ eos_token_id: id }) => id).filter((id) => Number.isInteger(id)) as number[];
  const eos = tokenContent(tokenizerConfig?.eos_token);
  const named = [...ENDS, ...(eos ? [eos] : [])].map((token) => tokenizer?.idOf(token));
  return new Set([...ids, ...named.filter((id) => id !== undefined)]);
}
