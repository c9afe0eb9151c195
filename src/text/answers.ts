import { NvlmError } from '../errors.ts';
import type { ChatMessage, Span, Tokenizer } from './types.ts';

/** Two characters that stand around the number of a content in a template's input and output. */
export interface Marks {
  open: string;
  close: string;
}

/**
 * Marks that no answer holds, so that none can be mistaken for the end of another. Unicode noncharacters: they are in no
 * text, and no template has a reason to look for them.
 *
 * @throws NvlmError `bad-data` for answers that hold all of them
 */
export function marksFor(messages: readonly ChatMessage[]): Marks {
  const answers = messages.filter(({ role }) => role === 'assistant').map(({ content }) => content);
  const free = Array.from({ length: 32 }, (_, i) => String.fromCharCode(0xfdd0 + i)).filter(
    (mark) => !answers.some((answer) => answer.includes(mark)),
  );
  const [open, close] = free;
  if (open !== undefined && close !== undefined) return { open, close };
  throw new NvlmError(
    'bad-data',
    'An answer holds all characters that Unicode keeps for no text at all.',
    'Take the characters U+FDD0 to U+FDEF out of it.',
  );
}

/**
 * An answer as the template sees it: its own text, because templates read answers (Qwen3's takes the thoughts out), and a
 * mark after the last word, where it is found again. White space around it stays visible, because many templates trim it.
 */
export function markAnswer(text: string, mark: string): string {
  const end = text.trimEnd().length || text.length;
  return text.slice(0, end) + mark + text.slice(end);
}

/**
 * Where an answer begins in what a template has written up to the end of it.
 *
 * As it was given, it is found at the end. A template that has changed it (moved or dropped the thoughts) has written the
 * answer itself: then it is all that follows the generation prompt, so what a model that is asked would have to say.
 *
 * @param written the template's text from the end of the content before
 * @param answer as it was given
 * @param opening what the template writes at the same place when it asks for an answer; null when it cannot be told
 */
export function startOfAnswer(written: string, answer: string, opening: () => string | null): number {
  const core = answer.trim();
  const prompt = (): number => {
    const text = opening();
    return text !== null && written.startsWith(text) ? text.length : -1;
  };
  if (!written.endsWith(core)) {
    const start = prompt();
    return start >= 0 ? start : written.length - commonEnd(written, core);
  }
  const start = written.length - core.length;
  // A blank that the template sets before answers, and not behind the prompt (SmolVLM, Llama 2), is said by the model.
  if (written[start - 1] === ' ') {
    const asked = prompt();
    if (asked >= 0 && asked < start && written.slice(asked, start).trim() === '') return asked;
  }
  const blank = core === '' ? answer : answer.slice(0, answer.indexOf(core));
  // White space that the template has kept is the answer's, but not the end of what opens the turn.
  const isKept = blank !== '' && written.slice(0, start).endsWith(blank) && start - blank.length >= prompt();
  return isKept ? start - blank.length : start;
}

function commonEnd(a: string, b: string): number {
  let length = 0;
  while (length < Math.min(a.length, b.length) && a.at(-1 - length) === b.at(-1 - length)) length += 1;
  return length;
}

/**
 * What of an answer is ordinary text, whatever it spells: the token that stands where a picture's features go, which
 * nobody says. Every other added token in an answer is that token: the model is to say it.
 */
export function literalInAnswer(text: string, tokenizer: Tokenizer, imageTokenId: number): Span[] {
  const content = tokenizer.addedTokens.find(({ id }) => id === imageTokenId)?.content;
  if (!content) return [];
  const spans: Span[] = [];
  for (let at = text.indexOf(content); at >= 0; at = text.indexOf(content, at + content.length)) {
    spans.push({ start: at, end: at + content.length });
  }
  return spans;
}
