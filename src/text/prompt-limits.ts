import { NvlmError } from '../errors.ts';
import { IMAGE_PLACEHOLDER } from './image-placeholder.ts';
import type { ChatMessage, TokenPlan } from './types.ts';

/**
 * @throws NvlmError `empty-prompt` when the last user message has no text (an image alone asks nothing)
 */
export function assertPrompt(messages: readonly ChatMessage[]): void {
  const last = messages.findLast(({ role }) => role === 'user');
  if (!last || last.content.replaceAll(IMAGE_PLACEHOLDER, '').trim() === '') throw emptyPrompt();
}

/**
 * Prompt and answer share the context.
 *
 * @param contextLength the model's positions (`max_position_embeddings`)
 * @throws NvlmError `prompt-too-long`, with the number of tokens over; `empty-prompt` for a plan without tokens
 */
export function assertFits(plan: TokenPlan, contextLength: number, maxNewTokens: number): void {
  const prompt = plan.counts.decoderTokens;
  if (prompt === 0) throw emptyPrompt();
  const over = prompt + maxNewTokens - contextLength;
  if (over <= 0) return;
  const visual = plan.sequenceTiles.length * plan.tokensPerTile;
  const ways = [
    prompt < contextLength ? `ask for at most ${contextLength - prompt} new tokens` : '',
    `shorten the text by ${over} ${over === 1 ? 'token' : 'tokens'}`,
    plan.sequenceTiles.length > 1 ? `allow fewer tiles (each takes ${plan.tokensPerTile} tokens)` : '',
    'start a new conversation',
  ].filter(Boolean);
  throw new NvlmError(
    'prompt-too-long',
    `The prompt takes ${prompt} tokens${visual > 0 ? ` (${visual} of them visual)` : ''} and the answer may take ` +
      `${maxNewTokens}: ${over} over the model's ${contextLength}.`,
    `${capitalise(ways.slice(0, -1).join(', '))} or ${ways.at(-1)}.`,
  );
}

function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function emptyPrompt(): NvlmError {
  return new NvlmError('empty-prompt', 'The question is empty.', 'Type a question, then send it.');
}
