import { NvlmError } from '../errors.ts';
import { literalInAnswer } from './answers.ts';
import { assemblePlan } from './assemble-plan.ts';
import type { AssemblyOptions } from './assemble-plan.ts';
import type { ChatTemplate } from './chat-template.ts';
import { renderConversation } from './conversation.ts';
import { imageBlock } from './image-layout.ts';
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
 * The token plan of one conversation and its pictures.
 *
 * The text between contents is the chat template's. It is cut at tags, visual tokens, answers and the token that ends
 * an answer, and each piece is tokenised by itself; answers and their end carry labels, also in chat, where they
 * change nothing. What a user or the system says is ordinary text whatever it spells: no control token, tag or wrapper
 * of the tokenizer is recognised in it. In what the model is to say, added tokens are tokens.
 *
 * @throws NvlmError `empty-prompt` when there is nothing to answer; `usage` for several pictures where cross-attention
 * reads them; `bad-model` when template or configuration do not work
 */
export function planTokens(options: PlanOptions): TokenPlan {
  const { tokenizer, chatTemplate, messages, pictures, layout, tokensPerTile } = options;
  if (options.addGenerationPrompt) assertPrompt(messages);
  if (pictures.length > 1) refuseSeveral(options);
  const pieces = renderConversation(messages, { ...options, pictures: pictures.length, layout });
  const parts: Part[] = [];
  let [seen, tiles] = [0, 0];
  let sees: Sees = 'none';
  let answered = false;
  for (const piece of pieces) {
    if (piece.kind === 'image') {
      const picture = pictures[seen]!;
      parts.push(...imageBlock(picture, { picture: seen++, pictures: pictures.length, first: tiles }, layout, tokensPerTile));
      tiles += picture.length;
      sees = 'all';
    } else if (piece.kind === 'answer') {
      parts.push({
        kind: 'answer',
        text: piece.text,
        literal: literalInAnswer(piece.text, tokenizer, options.imageTokenId),
        learn: true,
        sees,
      });
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

/** A row sees the tiles of one picture or of none: nothing says which of several it would. */
function refuseSeveral({ layout, pictures }: AssemblyOptions): void {
  if (pictures.every((tiles) => layout.routing.inSequence(tiles).length === tiles.length)) return;
  throw new NvlmError(
    'usage',
    `This model reads tiles through cross-attention, and was taught with one picture, not ${pictures.length}.`,
    'Give one picture, or take a model that holds its tiles in the sequence.',
  );
}

/** The plan of pictures alone: wrapper, tags and visual tokens, as they stand in every conversation. */
export function planImageBlock(options: AssemblyOptions): TokenPlan {
  const { pictures, layout, tokensPerTile } = options;
  if (pictures.length > 1) refuseSeveral(options);
  let first = 0;
  const parts = pictures.flatMap((tiles, picture) => {
    const block = imageBlock(tiles, { picture, pictures: pictures.length, first }, layout, tokensPerTile);
    first += tiles.length;
    return block;
  });
  return assemblePlan(parts, options);
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
