import { literalInAnswer } from './answers.ts';
import { assemblePlan } from './assemble-plan.ts';
import type { AssemblyOptions } from './assemble-plan.ts';
import type { ChatTemplate } from './chat-template.ts';
import { renderConversation } from './conversation.ts';
import { imageBlock } from './image-block.ts';
import type { Part, Sees } from './plan-parts.ts';
import { assertPrompt } from './prompt-limits.ts';
import type { ChatMessage, Span, TokenPlan, Tokenizer } from './types.ts';

export interface PlanOptions extends AssemblyOptions {
  chatTemplate: ChatTemplate;
  /** The configuration's `system_message`; opens a conversation that has no system turn. */
  systemMessage?: string;
  messages: readonly ChatMessage[];
  /** True to answer next (chat), false to learn the conversation as it is (training). */
  addGenerationPrompt: boolean;
}

/**
 * The token plan of one conversation with at most one image.
 *
 * The text between contents is the chat template's. It is cut at tags, visual tokens, answers and the token that ends
 * an answer, and each piece is tokenised by itself; answers and their end carry labels, also in chat, where they
 * change nothing. What a user or the system says is ordinary text whatever it spells: no control token, tag or wrapper
 * of the tokenizer is recognised in it. In what the model is to say, added tokens are tokens.
 *
 * @throws NvlmError `empty-prompt` when there is nothing to answer; `bad-model` when template or configuration do not
 * work
 */
export function planTokens(options: PlanOptions): TokenPlan {
  const { tokenizer, chatTemplate, messages, tags } = options;
  if (options.addGenerationPrompt) assertPrompt(messages);
  const pieces = renderConversation(messages, { ...options, hasImage: tags.length > 0 });
  const parts: Part[] = [];
  let sees: Sees = 'none';
  let answered = false;
  for (const piece of pieces) {
    if (piece.kind === 'image') {
      parts.push(...imageBlock(options));
      sees = 'all';
    } else if (piece.kind === 'answer') {
      parts.push({ kind: 'answer', text: piece.text, literal: literalInAnswer(piece.text, tokenizer, options.imageTokenId), learn: true, sees });
    } else {
      const end = answered && !piece.literal ? endOfAnswer(piece.text, tokenizer, chatTemplate.eosToken) : '';
      const text = piece.text.slice(end.length);
      if (end) parts.push({ kind: 'answer', text: end, learn: true, sees });
      if (text) parts.push({ kind: 'text', text, literal: piece.literal ? whole(text) : [], sees });
    }
    answered = piece.kind === 'answer';
  }
  return assemblePlan(parts, options);
}

function whole(text: string): Span[] {
  return [{ start: 0, end: text.length }];
}

/** The plan of an image alone: wrapper, tags and visual tokens, as they stand in every conversation. */
export function planImageBlock(options: AssemblyOptions): TokenPlan {
  return assemblePlan(options.tags.length > 0 ? imageBlock(options) : [], options);
}

/**
 * The template's text right after an answer that tells the model to stop there: a special token, or white space and the
 * configuration's `eos_token` (Llama 2). Empty when the template ends answers otherwise.
 */
function endOfAnswer(text: string, tokenizer: Tokenizer, eosToken: string | undefined): string {
  const special = tokenizer.addedTokens
    .filter((token) => token.special && text.startsWith(token.content))
    .reduce((longest, { content }) => (content.length > longest.length ? content : longest), '');
  if (special || !eosToken) return special;
  const blank = text.length - text.trimStart().length;
  return text.startsWith(eosToken, blank) ? text.slice(0, blank) + eosToken : '';
}
