import { IMAGE_PLACEHOLDER } from '../../text/image-placeholder.ts';
import { MOST_TURN_CHARACTERS, MOST_TURNS } from '../limits.ts';
import { listFrom } from './cell-list.ts';
import { type Fields, isEmpty, isFields, RowError } from './row-error.ts';
import { picturesOf, type RowPicture } from './row-picture.ts';

/** A turn in LLaVA's form; {@link IMAGE_PLACEHOLDER} stands where a picture does. */
export interface Turn {
  from: 'system' | 'human' | 'gpt';
  value: string;
}

export interface ReadTurns {
  turns: Turn[];
  /** Those that the turns hold, in their order. */
  pictures: RowPicture[];
  /** Names of what stood in the turns and is not read. */
  unread: Set<string>;
}

const SPEAKERS = new Map<string, Turn['from']>([
  ...['human', 'user', 'question'].map((name) => [name, 'human'] as const),
  ...['gpt', 'assistant', 'model', 'bot', 'chatgpt', 'answer'].map((name) => [name, 'gpt'] as const),
  ...['system', 'developer'].map((name) => [name, 'system'] as const),
]);

/** A turn that holds a question and its answer. */
const PAIRS = [
  ['user', 'assistant'],
  ['human', 'gpt'],
  ['question', 'answer'],
  ['instruction', 'output'],
  ['prompt', 'response'],
] as const;

/** Qwen-VL's markup with its counting lead, and HTML's. */
const MARKUP = /(?:Picture \d{1,3}: ?)?<img>([^<>]{1,4096})<\/img>\n?|<img\s[^>]{0,4096}>\n?/gi;

/**
 * The turns of a list in any of the forms that datasets have: `{from, value}`, `{role, content}` with text or parts, pairs of
 * question and answer as objects or lists; a list may come as JSON text, or as Hugging Face's columns of lists.
 *
 * @throws RowError for what is no such list, and for turns that hold what is not read: video, sound, calls of tools
 */
export function turnsOf(value: unknown): ReadTurns {
  const list = rowsOf(typeof value === 'string' ? listFrom(value) : value);
  if (!Array.isArray(list)) throw new RowError('its conversation is not a list of turns');
  if (list.length > MOST_TURNS) throw new RowError(`it has ${list.length} turns`);
  const read: ReadTurns = { turns: [], pictures: [], unread: new Set() };
  for (const [i, turn] of (list as unknown[]).entries()) addTurn(read, turn, `turn ${i + 1}`);
  return read;
}

/** A single turn by the user, of text or of parts. */
export function question(content: unknown): ReadTurns {
  const read: ReadTurns = { turns: [], pictures: [], unread: new Set() };
  say(read, 'human', content, 'the question');
  return read;
}

function addTurn(read: ReadTurns, turn: unknown, name: string): void {
  if (Array.isArray(turn) && turn.length === 2) {
    say(read, 'human', turn[0], name);
    say(read, 'gpt', turn[1], name);
    return;
  }
  if (!isFields(turn)) throw new RowError(`${name} is not an object`);
  const pair = PAIRS.find((names) => names.every((key) => Object.hasOwn(turn, key)));
  if (pair) {
    say(read, 'human', turn[pair[0]], name);
    say(read, 'gpt', turn[pair[1]], name);
    noteRest(read, turn, pair, name);
    return;
  }
  const by = turn.from ?? turn.role;
  const speaker = typeof by === 'string' ? SPEAKERS.get(by.toLowerCase()) : undefined;
  if (!speaker) throw new RowError(`${name} is by neither human nor gpt`);
  const content = [turn.value, turn.content, turn.text, turn.parts].find((one) => !isEmpty(one)) ?? '';
  const beside = ['images', 'image', 'image_url'].filter((key) => !isEmpty(turn[key]));
  noteRest(read, turn, ['from', 'value', 'role', 'content', 'text', 'parts', ...beside], name);
  const pictures = beside.flatMap((key) => picturesOf(turn[key]));
  if (typeof content === 'string' && content.includes(IMAGE_PLACEHOLDER)) {
    read.pictures.push(...pictures);
    say(read, speaker, content, name);
  } else
    say(
      read,
      speaker,
      [...pictures.map((picture) => ({ image: picture })), ...(Array.isArray(content) ? (content as unknown[]) : [content])],
      name,
    );
}

/** What a turn holds besides; what would change how it is learnt cannot be passed over. */
function noteRest(read: ReadTurns, turn: Fields, known: readonly string[], name: string): void {
  for (const [key, value] of Object.entries(turn)) {
    if (known.includes(key) || isEmpty(value)) continue;
    if (/video|audio/i.test(key)) throw new RowError(`${name} has ${JSON.stringify(key)}: only pictures are read`);
    if (key === 'tool_calls' || key === 'function_call') throw new RowError(`${name} calls a tool, which is not read`);
    if (key === 'weight' && value === 0) throw new RowError(`${name} is not to be learnt ("weight": 0), which is not supported`);
    if (key !== 'weight') read.unread.add(`… ${key}`);
  }
}

function say(read: ReadTurns, from: Turn['from'], content: unknown, name: string): void {
  const { text, pictures } = contentOf(content, name);
  if (text.length > MOST_TURN_CHARACTERS) throw new RowError(`${name} has ${text.length} characters`);
  const value = from === 'human' ? withoutMarkup(text, pictures) : text;
  if (from !== 'human' && pictures.length > 0) throw new RowError(`${name} holds a picture, but a picture can only stand in a question`);
  if (from === 'human' && /^\s*<(video|audio)>|<(video|audio)>\s*$/.test(value))
    throw new RowError(`${name} is about a video or sound: only pictures are read`);
  read.pictures.push(...pictures);
  const last = read.turns.at(-1);
  // Several system messages in a row are one.
  if (from === 'system' && last?.from === 'system') last.value += `\n\n${value}`;
  else read.turns.push({ from, value });
}

/** Text, or the parts that chat APIs make of text and pictures; between a picture and text there is a line break. */
function contentOf(content: unknown, name: string): { text: string; pictures: RowPicture[] } {
  const parts = Array.isArray(content) ? (content as unknown[]) : [content];
  if (parts.length > MOST_TURNS) throw new RowError(`${name} has ${parts.length} parts`);
  const pictures: RowPicture[] = [];
  let text = '';
  let wasPicture = false;
  for (const part of parts) {
    const read = partOf(part, name);
    pictures.push(...read.pictures);
    const touches = text !== '' && read.text !== '' && !text.endsWith('\n') && !read.text.startsWith('\n');
    text += touches && (wasPicture || read.isPicture) ? `\n${read.text}` : read.text;
    wasPicture = read.isPicture;
  }
  return { text, pictures };
}

interface Part {
  text: string;
  isPicture: boolean;
  pictures: RowPicture[];
}

function partOf(part: unknown, name: string): Part {
  if (typeof part === 'string' || typeof part === 'number' || typeof part === 'bigint')
    return { text: String(part), isPicture: false, pictures: [] };
  if (!isFields(part)) throw new RowError(`${name} is not text`);
  const kind = typeof part.type === 'string' ? part.type.toLowerCase() : '';
  if (/video|audio/.test(kind) || ['video', 'audio', 'input_audio'].some((key) => !isEmpty(part[key])))
    throw new RowError(`${name} holds a video or sound: only pictures are read`);
  if (['text', 'input_text', 'output_text'].includes(kind) || (kind === '' && typeof part.text === 'string')) {
    const text = part.text ?? part.content ?? part.value;
    if (typeof text !== 'string') throw new RowError(`${name} is not text`);
    return { text, isPicture: false, pictures: [] };
  }
  if (kind !== '' && !/image|picture/.test(kind))
    throw new RowError(`${name} holds a part of the kind ${JSON.stringify(kind.slice(0, 40))}, which is not read`);
  const { type: _, text: __, detail: ___, index: ____, ...source } = part;
  if (!isEmpty(source.file_id)) throw new RowError(`${name} names a picture by "file_id"; give it as a file`);
  const held = Object.keys(source).filter((key) => !isEmpty(source[key]));
  if (kind === '' && held.length === 0) throw new RowError(`${name} is not text`);
  return { text: IMAGE_PLACEHOLDER, isPicture: true, pictures: held.length === 0 ? [] : picturesOf(source) };
}

/** Markup that names a picture gives way to the placeholder; its pictures are added. */
function withoutMarkup(text: string, pictures: RowPicture[]): string {
  return text.replace(MARKUP, (whole, path: string | undefined) => {
    const source = path ?? /\ssrc\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))/i.exec(whole)?.slice(1).find(Boolean);
    if (!source) return whole;
    pictures.push(...picturesOf(source.trim()));
    return `${IMAGE_PLACEHOLDER}\n`;
  });
}

/** Hugging Face's `datasets` writes a list of objects as an object of lists. */
function rowsOf(value: unknown): unknown {
  if (!isFields(value)) return value;
  const columns = Object.entries(value);
  const [first] = columns;
  if (!first || !columns.every(([, list]) => Array.isArray(list) && list.length === (first[1] as unknown[]).length)) return value;
  return (first[1] as unknown[])
    .slice(0, MOST_TURNS + 1)
    .map((_, i) => Object.fromEntries(columns.map(([key, list]) => [key, (list as unknown[])[i]])));
}
