import { checkSize, corrupt, truncated } from './image-limits.ts';
import { orientationOf } from './orientation.ts';

/** Flags of a VP8X chunk (WebP container specification). */
const ANIMATION = 0x02;
const ALPHA = 0x10;

interface Chunk {
  type: string;
  body: Uint8Array;
}

/** The first picture of a WebP file and where it lies on the canvas. */
export interface WebpPicture {
  canvas: { width: number; height: number };
  frame: { x: number; y: number; width: number; height: number };
  /** A still WebP file of the frame alone, for a decoder that knows no animation. */
  still: Uint8Array;
  /** How to turn it, 1–8 as in {@link orient} */
  orientation: number;
}

/**
 * Takes a WebP container apart, still or animated (first frame).
 * @throws NvlmError by the declared sizes, and for truncated or damaged files
 */
export function readWebp(bytes: Uint8Array): WebpPicture {
  if (bytes.length < 20) throw truncated('WebP');
  const end = 8 + u32(bytes, 4);
  if (end > bytes.length) throw truncated('WebP');
  const chunks = readChunks(bytes.subarray(12, end));
  const extended = chunks.find((chunk) => chunk.type === 'VP8X')?.body;
  if (extended && extended.length < 10) throw corrupt('WebP', 'its header is cut short');
  const canvas = extended ? { width: u24(extended, 4) + 1, height: u24(extended, 7) + 1 } : null;
  if (canvas) checkSize(canvas.width, canvas.height);
  const exif = chunks.find((chunk) => chunk.type === 'EXIF')?.body ?? null;
  const xmp = chunks.find((chunk) => chunk.type === 'XMP ')?.body;
  const orientation = orientationOf({ exif, xmp: xmp ? new TextDecoder('latin1').decode(xmp) : null });
  if (!canvas || !(extended![0]! & ANIMATION)) {
    const { still, ...size } = stillOf(chunks);
    checkSize(size.width, size.height);
    if (canvas && (canvas.width !== size.width || canvas.height !== size.height)) throw corrupt('WebP', 'it declares two sizes');
    return { canvas: size, frame: { x: 0, y: 0, ...size }, still, orientation };
  }
  const first = chunks.find((chunk) => chunk.type === 'ANMF')?.body;
  if (!first || first.length < 16) throw corrupt('WebP', 'its animation has no frame');
  const { still, ...size } = stillOf(readChunks(first.subarray(16)));
  const frame = { x: u24(first, 0) * 2, y: u24(first, 3) * 2, ...size };
  if (frame.x + frame.width > canvas.width || frame.y + frame.height > canvas.height) {
    throw corrupt('WebP', 'its first frame lies outside the picture');
  }
  return { canvas, frame, still, orientation };
}

function readChunks(bytes: Uint8Array): Chunk[] {
  const chunks: Chunk[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = u32(bytes, at + 4);
    if (length > bytes.length - at - 8) throw truncated('WebP');
    chunks.push({
      type: String.fromCharCode(...bytes.subarray(at, at + 4)),
      body: bytes.subarray(at + 8, at + 8 + length),
    });
    at += 8 + length + (length & 1);
  }
  return chunks;
}

/** Finds the picture among a file's or a frame's chunks and wraps it anew, without metadata. */
function stillOf(chunks: readonly Chunk[]): { width: number; height: number; still: Uint8Array } {
  const picture = chunks.find(({ type }) => type === 'VP8 ' || type === 'VP8L');
  if (!picture) throw corrupt('WebP', 'it holds no picture');
  const size = picture.type === 'VP8L' ? losslessSize(picture.body) : lossySize(picture.body);
  const alpha = picture.type === 'VP8 ' ? chunks.find(({ type }) => type === 'ALPH') : undefined;
  return { ...size, still: alpha ? wrap([extendedHeader(size), alpha, picture]) : wrap([picture]) };
}

/** VP8 frame header (RFC 6386 §9.1): 14-bit width and height after the start code. */
function lossySize(body: Uint8Array): { width: number; height: number } {
  if (body.length < 10) throw truncated('WebP');
  if (body[3] !== 0x9d || body[4] !== 0x01 || body[5] !== 0x2a) throw corrupt('WebP', 'its picture has no start code');
  return { width: (body[6]! | (body[7]! << 8)) & 0x3fff, height: (body[8]! | (body[9]! << 8)) & 0x3fff };
}

/** VP8L header: signature byte, then 14 bits each of width − 1 and height − 1. */
function losslessSize(body: Uint8Array): { width: number; height: number } {
  if (body.length < 5) throw truncated('WebP');
  if (body[0] !== 0x2f) throw corrupt('WebP', 'its picture has no signature');
  const bits = u32(body, 1);
  return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
}

function extendedHeader({ width, height }: { width: number; height: number }): Chunk {
  const body = new Uint8Array(10);
  const view = new DataView(body.buffer);
  body[0] = ALPHA;
  view.setUint32(4, width - 1, true); // three bytes each; the height overwrites the empty fourth
  view.setUint16(7, (height - 1) & 0xffff, true);
  body[9] = (height - 1) >> 16;
  return { type: 'VP8X', body };
}

function wrap(chunks: readonly Chunk[]): Uint8Array {
  const size = chunks.reduce((sum, { body }) => sum + 8 + body.length + (body.length & 1), 12);
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  const text = (at: number, value: string) =>
    out.set(
      Array.from(value, (char) => char.charCodeAt(0)),
      at,
    );
  text(0, 'RIFF');
  view.setUint32(4, size - 8, true);
  text(8, 'WEBP');
  let at = 12;
  for (const { type, body } of chunks) {
    text(at, type);
    view.setUint32(at + 4, body.length, true);
    out.set(body, at + 8);
    at += 8 + body.length + (body.length & 1);
  }
  return out;
}

function u24(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
}

function u32(bytes: Uint8Array, at: number): number {
  return (u24(bytes, at) | (bytes[at + 3]! << 24)) >>> 0;
}
