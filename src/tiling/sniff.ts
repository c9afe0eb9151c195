import { badImage } from './image-limits.ts';

export type ImageFormat = 'PNG' | 'JPEG' | 'WebP';

const ACCEPTED = 'Use a PNG, JPEG or WebP file.';

/** Formats that people try and that are not taken: [name, first bytes, offset]. */
const OTHERS: readonly (readonly [name: string, magic: string, offset: number])[] = [
  ['GIF', 'GIF8', 0],
  ['BMP', 'BM', 0],
  ['TIFF', 'II*\0', 0],
  ['TIFF', 'MM\0*', 0],
  ['AVIF', 'ftypavif', 4],
  ['AVIF', 'ftypavis', 4],
  ['HEIC', 'ftyphei', 4],
  ['HEIC', 'ftyphev', 4],
  ['HEIC', 'ftypmif1', 4],
  ['MP4 video', 'ftyp', 4],
  ['JPEG XL', '\xff\x0a', 0],
  ['JPEG XL', '\0\0\0\x0cJXL ', 0],
  ['JPEG 2000', '\0\0\0\x0cjP  ', 0],
  ['Photoshop', '8BPS', 0],
  ['PDF', '%PDF', 0],
  ['icon', '\0\0\x01\0', 0],
  ['ZIP', 'PK\x03\x04', 0],
  ['safetensors or JSON', '{', 8],
  ['JSON', '{', 0],
  ['JSON', '[', 0],
];

/**
 * Format by first bytes; file names and MIME types are not trusted.
 * @throws NvlmError `bad-image` naming what was seen
 */
export function sniffFormat(bytes: Uint8Array): ImageFormat {
  if (bytes.length === 0) throw badImage('The image file is empty.', ACCEPTED);
  const head = String.fromCharCode(...bytes.subarray(0, 64));
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'PNG';
  if (head.startsWith('\xff\xd8\xff')) return 'JPEG';
  if (head.startsWith('RIFF') && head.startsWith('WEBP', 8)) return 'WebP';
  const other = OTHERS.find(([, magic, offset]) => head.startsWith(magic, offset));
  if (other) throw badImage(`This is a ${other[0]} file, which is not supported.`, `Convert it first. ${ACCEPTED}`);
  if (/^\s*<(svg|\?xml|!doctype|html)/i.test(head)) {
    throw badImage('This is an SVG, XML or HTML file, not a bitmap picture.', `Export it as a picture first. ${ACCEPTED}`);
  }
  if (/^[\t\n\r\x20-\x7e]+$/.test(head)) throw badImage('This is a text file, not a picture.', ACCEPTED);
  const seen = Array.from(bytes.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  throw badImage(`This is not a picture in a known format (it starts with the bytes ${seen}).`, ACCEPTED);
}
