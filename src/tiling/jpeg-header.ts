import { badImage, checkSize, corrupt, truncated } from './image-limits.ts';
import { orientationOf, type PictureMetadata } from './orientation.ts';

/** Real progressive files have about ten; each one costs a pass over the whole picture. */
const MAX_SCANS = 100;
const XMP = 'http://ns.adobe.com/xap/1.0/\0';

export interface JpegHeader {
  width: number;
  height: number;
  /** 1 grey, 3 colour, 4 CMYK or YCCK */
  components: number;
  /** An Adobe APP14 segment is there. */
  adobe: boolean;
  /** How to turn it, 1–8 as in {@link orient} */
  orientation: number;
}

/**
 * Walks all of a JPEG's segments and scans (ITU T.81 annex B) without decoding.
 * @throws NvlmError by the declared size as soon as it is read; also for files without an end, with no picture, with
 *   too many scans, and for the kinds that nobody's browser shows either (lossless, arithmetic, 12-bit)
 */
export function readJpegHeader(bytes: Uint8Array): JpegHeader {
  let frame: { width: number; height: number; components: number } | null = null;
  let adobe = false;
  const metadata: PictureMetadata = { exif: null, xmp: null };
  let scans = 0;
  for (let at = 2; ; ) {
    at = nextMarker(bytes, at);
    if (at < 0) throw truncated('JPEG');
    const marker = bytes[at + 1]!;
    at += 2;
    if (marker === 0xd9) break;
    if (marker === 0x01 || marker === 0xd8) continue;
    if (at + 2 > bytes.length) throw truncated('JPEG');
    const length = (bytes[at]! << 8) | bytes[at + 1]!;
    if (length < 2) throw corrupt('JPEG', 'a segment has an impossible length');
    if (at + length > bytes.length) throw truncated('JPEG');
    const body = bytes.subarray(at + 2, at + length);
    if (isFrame(marker)) {
      if (frame) throw corrupt('JPEG', 'it declares two pictures in one');
      frame = readFrame(marker, body);
    } else if (marker === 0xe1 && startsWith(body, 'Exif\0\0')) metadata.exif ??= body;
    else if (marker === 0xe1 && startsWith(body, XMP)) metadata.xmp = new TextDecoder('latin1').decode(body.subarray(XMP.length));
    else if (marker === 0xee && startsWith(body, 'Adobe') && body.length >= 12) adobe = true;
    else if (marker === 0xda && ++scans > MAX_SCANS) throw corrupt('JPEG', `it has more than ${MAX_SCANS} scans`);
    at += length;
  }
  if (!frame || scans === 0) throw corrupt('JPEG', 'it holds no picture');
  return { ...frame, adobe, orientation: orientationOf(metadata) };
}

/**
 * Offset of the next marker at or after `at`, past coded data, stuffed bytes and restart markers; −1 at the end of the
 * file.
 */
function nextMarker(bytes: Uint8Array, at: number): number {
  for (;;) {
    at = bytes.indexOf(0xff, at);
    if (at < 0 || at + 1 >= bytes.length) return -1;
    const next = bytes[at + 1]!;
    if (next === 0xff) at++;
    else if (next === 0 || (next >= 0xd0 && next <= 0xd7)) at += 2;
    else return at;
  }
}

function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function readFrame(marker: number, body: Uint8Array): { width: number; height: number; components: number } {
  if (body.length < 6) throw corrupt('JPEG', 'its frame header is cut short');
  const precision = body[0]!;
  const height = (body[1]! << 8) | body[2]!;
  const width = (body[3]! << 8) | body[4]!;
  const components = body[5]!;
  checkSize(width, height);
  if (marker > 0xc2 || precision !== 8 || ![1, 3, 4].includes(components)) {
    const kind = marker > 0xc2 ? 'lossless, hierarchical or arithmetic coding' : `${components} components of ${precision} bits`;
    throw badImage(`The JPEG file uses ${kind}, which is not supported.`, 'Save it as an ordinary 8-bit JPEG or as PNG.');
  }
  return { width, height, components };
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[i] !== text.charCodeAt(i)) return false;
  return true;
}
