import { listFrom } from './cell-list.ts';
import { isEmpty, isFields, RowError } from './row-error.ts';

/** Of a cell: text, a number, a truth value; else null. */
export function plainText(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : null;
  return typeof value === 'bigint' || typeof value === 'boolean' ? String(value) : null;
}

/** Under these names an answer object holds its text: VQA's `{answer}`, SQuAD's `{text: […]}`. */
const TEXTS = ['answer', 'text', 'value', 'caption', 'raw', 'label'];

/**
 * The answer of a cell: of several right ones the most frequent, and of equally frequent ones the first.
 *
 * @returns null when there is none
 */
export function answerText(value: unknown): { text: string; of: number } | null {
  const all = textsOf(value).filter((text) => text.trim() !== '');
  const counts = new Map<string, number>();
  for (const text of all) counts.set(text, (counts.get(text) ?? 0) + 1);
  let best: string | null = null;
  for (const [text, count] of counts) if (best === null || count > counts.get(best)!) best = text;
  return best === null ? null : { text: best, of: counts.size };
}

function textsOf(value: unknown, depth = 0): string[] {
  if (depth > 4) return [];
  if (Array.isArray(value)) return value.flatMap((one: unknown) => textsOf(one, depth + 1));
  if (isFields(value)) {
    const name = TEXTS.find((key) => Object.hasOwn(value, key) && !isEmpty(value[key]));
    return name === undefined ? [] : textsOf(value[name], depth + 1);
  }
  const text = plainText(value);
  return text === null ? [] : [text];
}

/** What can be chosen: letter by letter from A. @throws RowError for what is no list of texts */
export function choicesOf(value: unknown): { letter: string; text: string }[] {
  if (isEmpty(value)) return [];
  const list = typeof value === 'string' ? listFrom(value) : value;
  if (isFields(list) && Array.isArray(list.text) && Array.isArray(list.label))
    return list.text.map((text: unknown, i) => ({ letter: String((list.label as unknown[])[i]), text: choice(text) }));
  if (isFields(list)) return Object.entries(list).flatMap(([letter, text]) => (isEmpty(text) ? [] : [{ letter, text: choice(text) }]));
  if (!Array.isArray(list)) throw new RowError('its choices are not a list');
  return list.map((text: unknown, i) => ({ letter: String.fromCharCode(65 + i), text: choice(text) }));
}

function choice(value: unknown): string {
  const text = plainText(isFields(value) ? textsOf(value)[0] : value);
  if (text === null) throw new RowError('one of its choices is not text');
  return text;
}

/**
 * The words of the choice that an answer names: by its number from 0, its letter, or its own words.
 *
 * @throws RowError for an answer that is none of the choices
 */
export function chosen(answer: string, isNumber: boolean, choices: readonly { letter: string; text: string }[]): string {
  const said = answer.trim();
  const byWords = choices.find(({ text }) => text.trim() === said);
  if (byWords && !isNumber) return byWords.text;
  const byNumber = /^\d{1,4}$/.test(said) ? choices[Number(said)] : undefined;
  const byLetter = choices.find(({ letter }) => said.replace(/^\((.+)\)$|^(.+)[.)]$/, '$1$2').toUpperCase() === letter.toUpperCase());
  const found = (isNumber ? (byNumber ?? byWords) : (byLetter ?? byNumber)) ?? byWords;
  if (found) return found.text;
  throw new RowError(`its answer ${JSON.stringify(said.slice(0, 40))} is none of its ${choices.length} choices`);
}

/** The question with its choices below it, unless it says them itself. */
export function withChoices(question: string, choices: readonly { letter: string; text: string }[]): string {
  if (choices.every(({ text }) => question.includes(text))) return question;
  return [question, ...choices.map(({ letter, text }) => `${letter}. ${text}`)].join('\n');
}
