import { inflate } from './inflate.ts';
import type { PictureMetadata } from './orientation.ts';

/** A chunk of text or EXIF, as it stands in the file. */
export interface MetadataChunk {
  type: string;
  body: Uint8Array;
}

const TYPES = new Set(['eXIf', 'tEXt', 'zTXt', 'iTXt']);
/** ImageMagick's way to keep EXIF: lines of a name, a length and hexadecimal digits. */
const RAW_EXIF = 'Raw profile type exif';
const XMP = 'XML:com.adobe.xmp';
/** Unpacked; no orientation stands in more. */
const MOST_TEXT = 2 ** 20;

/** Whether the chunk may say how the picture is to be turned; only such ones are unpacked. */
export function isMetadata(type: string, body: Uint8Array): boolean {
  return type === 'eXIf' || (TYPES.has(type) && [RAW_EXIF, XMP, 'exif'].includes(keywordOf(body)));
}

/** What the chunks say; of several of a kind the last one counts, as in Pillow. */
export async function pngMetadata(chunks: readonly MetadataChunk[]): Promise<PictureMetadata> {
  let exif: Uint8Array | null = null;
  let raw: string | null = null;
  let xmp: string | null = null;
  for (const { type, body } of chunks) {
    if (type === 'eXIf') exif = body;
    else {
      const bytes = await textOf(type, body);
      if (bytes === null) continue;
      const keyword = keywordOf(body);
      if (keyword === 'exif') exif = bytes;
      else if (keyword === RAW_EXIF) raw = latin(bytes);
      else xmp = latin(bytes);
    }
  }
  return { exif: exif ?? (raw === null ? null : unhexed(raw)), xmp };
}

function keywordOf(body: Uint8Array): string {
  const end = body.subarray(0, 80).indexOf(0);
  return end < 0 ? '' : latin(body.subarray(0, end));
}

/** The text behind the keyword; null when it is packed by an unknown method, damaged or too long. */
async function textOf(type: string, body: Uint8Array): Promise<Uint8Array | null> {
  const rest = body.subarray(body.indexOf(0) + 1);
  if (type === 'tEXt') return rest;
  if (type === 'zTXt') return rest[0] === 0 ? unpacked(rest.subarray(1)) : null;
  // iTXt: a flag for packed, the method, a language and the keyword in it, each closed by a zero.
  const [packed, method] = rest;
  const language = rest.indexOf(0, 2);
  const translated = language < 0 ? -1 : rest.indexOf(0, language + 1);
  if (translated < 0) return null;
  const text = rest.subarray(translated + 1);
  if (packed === 0) return text;
  return method === 0 ? unpacked(text) : null;
}

async function unpacked(bytes: Uint8Array): Promise<Uint8Array | null> {
  const out: Uint8Array[] = [];
  let length = 0;
  if (bytes.length === 0) return null;
  try {
    for await (const piece of inflate([bytes])) {
      length += piece.length;
      if (length > MOST_TEXT) return null;
      out.push(piece);
    }
  } catch {
    return null;
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of out) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function unhexed(profile: string): Uint8Array | null {
  const digits = profile.split('\n').slice(3).join('').replace(/\s/g, '');
  if (digits.length % 2 !== 0 || /[^0-9a-f]/i.test(digits)) return null;
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

function latin(bytes: Uint8Array): string {
  return new TextDecoder('latin1').decode(bytes);
}
