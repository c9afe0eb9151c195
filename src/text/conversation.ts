import { markAnswer, marksFor, startOfAnswer, type Marks } from './answers.ts';
import { badTemplate, withSystemMessage } from './chat-template.ts';
import type { ChatTemplate, ContentPart, TemplateMessage } from './chat-template.ts';
import type { ImageLayout } from './image-layout.ts';
import { IMAGE_PLACEHOLDER } from './image-placeholder.ts';
import type { ChatMessage } from './types.ts';

/** A stretch of the rendered conversation. */
export type Piece =
  /** `literal`: what a person typed, as opposed to the template's own text. */
  | { kind: 'text'; text: string; literal: boolean }
  /** The next picture. */
  | { kind: 'image' }
  | { kind: 'answer'; text: string };

export interface ConversationOptions {
  chatTemplate: ChatTemplate;
  /** The configuration's `system_message`. */
  systemMessage?: string;
  /** How many pictures the conversation has. */
  pictures: number;
  /** How the family has pictures among words. */
  layout: Pick<ImageLayout, 'placeholder' | 'inline'>;
  addGenerationPrompt: boolean;
}

/**
 * Renders the conversation through the model's chat template and cuts it at contents, pictures and answers.
 *
 * The template sees a marker in place of each content, so nothing that a user types can steer it or be mistaken for
 * its own text; the rendered string is then cut at the markers. White space around contents stays visible to the
 * template, because many trim it. Answers alone are seen as they are, and what the template makes of one is the answer
 * (see {@link startOfAnswer}).
 *
 * Pictures stand where the user messages say {@link IMAGE_PLACEHOLDER}, one each in order. Those that no placeholder
 * asks for stand at the beginning of the first user message, each on a line of its own unless the family has them `inline`; a placeholder beyond the last
 * picture is plain text. A template that reads contents as lists of parts gets pictures as parts of their own, without
 * the line ends that set a placeholder off, and says itself where they stand.
 *
 * @throws NvlmError `bad-model` when the template fails, or drops, repeats or reorders a message or a picture
 */
export function renderConversation(messages: readonly ChatMessage[], options: ConversationOptions): Piece[] {
  const { texts, parts } = options.chatTemplate.reads;
  const marks = marksFor(messages);
  const told = placePictures(withSystemMessage(messages, options.systemMessage), options.pictures);
  if (parts && (options.pictures > 0 || !texts)) {
    const pieces = rendered(told, options, marks, true);
    if (countPictures(pieces) === options.pictures) return pieces;
    if (!texts) throw badTemplate('it does not give every picture once.');
  }
  return rendered(told, options, marks, false);
}

function countPictures(pieces: readonly Piece[]): number {
  return pieces.filter(({ kind }) => kind === 'image').length;
}

/** @param asParts hand contents over as lists of parts */
function rendered(
  told: readonly ToldMessage[],
  { chatTemplate, pictures, layout, addGenerationPrompt }: ConversationOptions,
  { open, close }: Marks,
  asParts: boolean,
): Piece[] {
  const marked: Piece[] = [];
  const mark = (piece: Piece): string => `${open}${marked.push(piece) - 1}${close}`;
  const opaque = (text: string): string => {
    const core = text.trim();
    if (core === '') return text;
    const start = text.indexOf(core);
    const content = mark({ kind: 'text', text: core, literal: true });
    return text.slice(0, start) + content + text.slice(start + core.length);
  };
  /** Which message an answer is, by its number. */
  const messageOf = new Map<number, number>();
  const marks = (text: string, role: ChatMessage['role'], message: number): string => {
    if (role !== 'assistant') return opaque(text);
    messageOf.set(marked.length, message);
    return markAnswer(text, mark({ kind: 'answer', text }));
  };

  const contents = told.map(({ role, stretches }, message): TemplateMessage => {
    // Marks are counted, so they are made in the order in which they stand.
    const content = asParts
      ? partsOf(stretches).map((part) => (part.type === 'image' ? part : { ...part, text: marks(part.text, role, message) }))
      : (layout.inline ? withoutLineEnds(stretches) : stretches)
          .map((text, n) => (n > 0 ? mark({ kind: 'image' }) : '') + marks(text, role, message))
          .join('');
    return { role, content };
  });

  const cuts = new RegExp(`${open}(\\d+)${close}`);
  /** What the template writes from the content before an answer to the answer, when it asks for one. */
  const opening = (answer: number): string | null => {
    const before = contents.slice(0, messageOf.get(answer));
    if (before.length === 0) return null;
    return chatTemplate.render(before, { addGenerationPrompt: true }).split(cuts).at(-1) ?? null;
  };
  const pieces: Piece[] = [];
  let found = 0;
  let blank = '';
  chatTemplate
    .render(contents, { addGenerationPrompt })
    .split(cuts)
    .forEach((part, k) => {
      if (k % 2 === 0) {
        const last = pieces.at(-1);
        const kept = last?.kind === 'answer' && part.startsWith(blank) ? blank : '';
        if (last?.kind === 'answer') last.text += kept;
        const text = part.slice(kept.length);
        if (text !== '') pieces.push({ kind: 'text', text, literal: false });
        return;
      }
      const piece = marked[found];
      if (Number(part) !== found || !piece) throw badTemplate('it does not give every message once and in order.');
      if (piece.kind === 'answer') {
        const before = pieces.at(-1);
        const written = before?.kind === 'text' && !before.literal ? (pieces.pop(), before.text) : '';
        const start = startOfAnswer(written, piece.text, () => opening(found));
        if (start > 0) pieces.push({ kind: 'text', text: written.slice(0, start), literal: false });
        blank = piece.text.slice(piece.text.trimEnd().length || piece.text.length);
        pieces.push({ kind: 'answer', text: written.slice(start) });
      } else {
        pieces.push(piece);
      }
      found += 1;
    });
  if (found !== marked.length) throw badTemplate('it leaves out a message.');
  return asParts && pictures > 0 ? pieces.flatMap((piece) => atPlaceholders(piece, layout.placeholder)) : pieces;
}

/** Index of the message in which a conversation's picture stands: the first user message that says so, else the first one. */
export function imageMessage(messages: readonly ChatMessage[]): number {
  const said = messages.findIndex(({ role, content }) => role === 'user' && content.includes(IMAGE_PLACEHOLDER));
  return said >= 0 ? said : messages.findIndex(({ role }) => role === 'user');
}

/** The template's own text, cut where it has written a picture. */
function atPlaceholders(piece: Piece, placeholder: string): Piece[] {
  if (piece.kind !== 'text' || piece.literal) return [piece];
  return piece.text
    .split(placeholder)
    .flatMap((text, n): Piece[] => [
      ...(n > 0 ? [{ kind: 'image' as const }] : []),
      ...(text === '' ? [] : [{ kind: 'text' as const, text, literal: false }]),
    ]);
}

interface ToldMessage {
  role: ChatMessage['role'];
  /** The content, cut where pictures stand: one more than it has pictures. */
  stretches: string[];
}

/** Cuts user messages at the placeholders that a picture stands for. */
function placePictures(messages: readonly ChatMessage[], pictures: number): ToldMessage[] {
  const asked = messages
    .filter(({ role }) => role === 'user')
    .reduce((sum, { content }) => sum + content.split(IMAGE_PLACEHOLDER).length - 1, 0);
  const unasked = Math.max(0, pictures - asked);
  let due = pictures;
  return messages.map(({ role, content }): ToldMessage => {
    if (role !== 'user' || due === 0) return { role, stretches: [content] };
    const before = due === pictures ? unasked : 0;
    const texts = content.split(IMAGE_PLACEHOLDER);
    const taken = Math.min(texts.length - 1, due - before);
    due -= before + taken;
    // What follows the last picture is one stretch, placeholders without a picture included.
    const stretches = [...texts.slice(0, taken), texts.slice(taken).join(IMAGE_PLACEHOLDER)];
    if (before === 0) return { role, stretches };
    return { role, stretches: ['', ...new Array<string>(before - 1).fill('\n'), `\n${stretches[0]}`, ...stretches.slice(1)] };
  });
}

/** One line end beside a picture only set its placeholder off. */
function withoutLineEnds(stretches: readonly string[]): string[] {
  return stretches.map((text, n) => {
    const own = n > 0 ? text.replace(/^\n/, '') : text;
    return n < stretches.length - 1 ? own.replace(/\n$/, '') : own;
  });
}

function partsOf(stretches: readonly string[]): ContentPart[] {
  const parts = withoutLineEnds(stretches).flatMap((own, n): ContentPart[] => [
    ...(n > 0 ? [{ type: 'image' as const }] : []),
    ...(own === '' ? [] : [{ type: 'text' as const, text: own }]),
  ]);
  return parts.length > 0 ? parts : [{ type: 'text', text: '' }];
}
