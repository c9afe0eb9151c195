import { markAnswer, marksFor, startOfAnswer } from './answers.ts';
import { badTemplate, withSystemMessage } from './chat-template.ts';
import type { ChatTemplate } from './chat-template.ts';
import type { ChatMessage } from './types.ts';

/** Where the image stands in a user message (LLaVA's convention). */
export const IMAGE_PLACEHOLDER = '<image>';

/** A stretch of the rendered conversation. */
export type Piece =
  /** `literal`: what a person typed, as opposed to the template's own text. */
  { kind: 'text'; text: string; literal: boolean } | { kind: 'image' } | { kind: 'answer'; text: string };

export interface ConversationOptions {
  chatTemplate: ChatTemplate;
  /** The configuration's `system_message`. */
  systemMessage?: string;
  hasImage: boolean;
  addGenerationPrompt: boolean;
}

/**
 * Renders the conversation through the model's chat template and cuts it at contents, image and answers.
 *
 * The template sees a marker in place of each content, so nothing that a user types can steer it or be mistaken for
 * its own text; the rendered string is then cut at the markers. White space around contents stays visible to the
 * template, because many trim it. Answers alone are seen as they are, and what the template makes of one is the answer
 * (see {@link startOfAnswer}).
 *
 * The image stands in place of the first {@link IMAGE_PLACEHOLDER} of a user message, else before the first user message's
 * text on a line of its own. Any other placeholder is plain text.
 *
 * @throws NvlmError `bad-model` when the template fails, or drops, repeats or reorders a message
 */
export function renderConversation(messages: readonly ChatMessage[], options: ConversationOptions): Piece[] {
  const marked: Piece[] = [];
  const { open, close } = marksFor(messages);
  const mark = (piece: Piece): string => `${open}${marked.push(piece) - 1}${close}`;
  const opaque = (text: string): string => {
    const core = text.trim();
    if (core === '') return text;
    const start = text.indexOf(core);
    const content = mark({ kind: 'text', text: core, literal: true });
    return text.slice(0, start) + content + text.slice(start + core.length);
  };

  const all = withSystemMessage(messages, options.systemMessage);
  const imageAt = options.hasImage ? imageMessage(all) : -1;
  const contents = all.map(({ role, content }, i) => {
    if (role === 'assistant') return { role, content: markAnswer(content, mark({ kind: 'answer', text: content })) };
    if (i !== imageAt) return { role, content: opaque(content) };
    const [before, after] = splitAtPlaceholder(content);
    return { role, content: opaque(before) + mark({ kind: 'image' }) + opaque(after) };
  });

  const rendered = options.chatTemplate.render(contents, { addGenerationPrompt: options.addGenerationPrompt });
  const cuts = new RegExp(`${open}(\\d+)${close}`);
  /** What the template writes from the content before an answer to the answer, when it asks for one. */
  const opening = (answer: number): string | null => {
    const before = contents.slice(0, contents.findIndex(({ content }) => content.includes(`${open}${answer}${close}`)));
    if (before.length === 0) return null;
    return options.chatTemplate.render(before, { addGenerationPrompt: true }).split(cuts).at(-1) ?? null;
  };
  const pieces: Piece[] = [];
  let found = 0;
  let blank = '';
  rendered.split(cuts).forEach((part, k) => {
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
  return pieces;
}

/** Index of the message in which a conversation's picture stands: the first user message that says so, else the first one. */
export function imageMessage(messages: readonly ChatMessage[]): number {
  const said = messages.findIndex(({ role, content }) => role === 'user' && content.includes(IMAGE_PLACEHOLDER));
  return said >= 0 ? said : messages.findIndex(({ role }) => role === 'user');
}

function splitAtPlaceholder(content: string): [before: string, after: string] {
  const at = content.indexOf(IMAGE_PLACEHOLDER);
  return at < 0 ? ['', `\n${content}`] : [content.slice(0, at), content.slice(at + IMAGE_PLACEHOLDER.length)];
}
