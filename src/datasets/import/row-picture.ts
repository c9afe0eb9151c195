import { MAX_FILE_BYTES } from '../../tiling/image-limits.ts';
import { type Fields, isEmpty, isFields, RowError } from './row-error.ts';

/** Where a row's picture is: a file that it names, or bytes that came in the row. */
export type RowPicture = { path: string } | { bytes: Uint8Array; path: string };

/** Under these names an object holds its picture: of Hugging Face's `datasets` and of the chat APIs' parts. */
const HOLDERS = ['image_url', 'image', 'url', 'source', 'inline_data', 'inlineData', 'input_image'];

/** How the base64 of a PNG, JPEG and WebP begins: unlike a path it has no dot. */
const BASE64_PICTURE = /^(iVBORw0KGgo|\/9j\/|UklGR)[A-Za-z0-9+/_-]{40}/;
const LONGEST_PATH = 4096;
const MOST_DEPTH = 4;

/**
 * The pictures that a cell or a part of a message holds: paths, `file:` and `data:` addresses, base64, bytes, Hugging Face's
 * `{bytes, path}`, the `{url}` of chat APIs, and lists of them.
 *
 * @throws RowError for what is none of these, and for addresses on the web
 */
export function picturesOf(value: unknown, depth = 0): RowPicture[] {
  if (isEmpty(value)) return [];
  if (Array.isArray(value)) return value.flatMap((one: unknown) => picturesOf(one, depth + 1));
  if (value instanceof Uint8Array) return [{ bytes: value, path: '' }];
  if (typeof value === 'string') return [named(value)];
  if (isFields(value) && depth < MOST_DEPTH) return held(value, depth);
  throw new RowError('"image" is not a path');
}

function held(fields: Fields, depth: number): RowPicture[] {
  const { bytes, path, data, base64 } = fields;
  const name = typeof path === 'string' ? path : '';
  if (bytes instanceof Uint8Array) return [{ bytes, path: name }];
  for (const packed of [bytes, data, base64])
    if (typeof packed === 'string' && packed !== '') return [{ bytes: unpacked(packed), path: name }];
  if (name) return [named(name)];
  const holder = HOLDERS.find((key) => Object.hasOwn(fields, key) && !isEmpty(fields[key]));
  if (holder === undefined) throw new RowError('its picture is neither a file nor a path');
  return picturesOf(fields[holder], depth + 1);
}

function named(text: string): RowPicture {
  if (/^data:/i.test(text)) return { bytes: dataAddress(text), path: '' };
  if (BASE64_PICTURE.test(text)) return { bytes: unpacked(text), path: '' };
  if (text.length > LONGEST_PATH) throw new RowError(`"image" has ${text.length} characters: it is no path`);
  if (/^file:/i.test(text)) return { path: fileAddress(text) };
  if (/^[a-z][a-z+.-]+:/i.test(text)) throw new RowError('"image" is an address; only files that came along are read');
  return { path: text };
}

function fileAddress(text: string): string {
  const path = text.replace(/^file:(\/\/[^/\\]*)?/i, '').replace(/^\/([a-z]:)/i, '$1');
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function dataAddress(text: string): Uint8Array {
  const found = /^data:[^,]{0,200};base64,/i.exec(text);
  if (!found) throw new RowError('its picture stands in the row as data: without base64; give it as a file');
  return unpacked(text.slice(found[0].length));
}

function unpacked(base64: string): Uint8Array {
  if (base64.length > MAX_FILE_BYTES * (4 / 3)) throw new RowError(`its picture has more than ${MAX_FILE_BYTES / 2 ** 20} MiB`);
  try {
    const plain = atob(base64.replaceAll('-', '+').replaceAll('_', '/'));
    return Uint8Array.from(plain, (char) => char.charCodeAt(0));
  } catch {
    throw new RowError('its picture stands in the row as base64 that is damaged');
  }
}
