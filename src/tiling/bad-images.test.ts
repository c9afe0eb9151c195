import { readFileSync } from 'node:fs';
import { deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { NvlmError } from '../errors.ts';
import { crc32 } from '../files/crc32.ts';
import { decodeImage } from './decode.ts';
import { encodePng } from './encode-png.ts';

function fixture(name: string): Uint8Array {
  return readFileSync(new URL(`../../tests/fixtures/tiling/files/${name}`, import.meta.url));
}

async function refusal(bytes: Uint8Array): Promise<NvlmError> {
  const outcome = await decodeImage(bytes).catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(NvlmError);
  const error = outcome as NvlmError;
  expect(error.fix.length).toBeGreaterThan(10);
  return error;
}

function chunk(type: string, body: Uint8Array): Buffer {
  const tail = Buffer.concat([Buffer.from(type, 'latin1'), body]);
  const out = Buffer.alloc(tail.length + 8);
  out.writeUInt32BE(body.length);
  tail.copy(out, 4);
  out.writeUInt32BE(crc32(tail), tail.length + 4);
  return out;
}

/** An RGB PNG that declares a size and holds any bytes. */
function png(width: number, height: number, inflated: Uint8Array, colour = 2, depth = 8): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = depth;
  header[9] = colour;
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(inflated)),
    chunk('IEND', new Uint8Array(0)),
  ]);
}

/** The fixture with another size in its JPEG frame header. */
function jpegOfSize(width: number, height: number): Uint8Array {
  const bytes = Buffer.from(fixture('photo-444.jpg'));
  const frame = bytes.indexOf(Buffer.from([0xff, 0xc0]));
  bytes.writeUInt16BE(height, frame + 5);
  bytes.writeUInt16BE(width, frame + 7);
  return bytes;
}

/** A WebP header alone, extended format. */
function webpOfSize(width: number, height: number): Uint8Array {
  const bytes = Buffer.alloc(30);
  bytes.write('RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0', 'latin1');
  bytes.writeUIntLE(width - 1, 24, 3);
  bytes.writeUIntLE(height - 1, 27, 3);
  return bytes;
}

describe('decodeImage refuses', () => {
  it.each([
    ['an empty file', '', /empty/],
    ['text', 'a shopping list', /text file/],
    ['SVG', '<svg xmlns="http://www.w3.org/2000/svg"/>', /SVG/],
    ['GIF', 'GIF89a\x01\0\x01\0', /GIF file/],
    ['BMP', 'BM\x46\0\0\0', /BMP file/],
    ['HEIC', '\0\0\0\x18ftypheic', /HEIC file/],
    ['AVIF', '\0\0\0\x1cftypavif', /AVIF file/],
    ['PDF', '%PDF-1.7', /PDF file/],
    ['random bytes', '\x01\x02\x03\xfe', /bytes 01 02 03 fe/],
  ])('%s, by name', async (_, text, message) => {
    const error = await refusal(Buffer.from(text, 'latin1'));
    expect(error.code).toBe('bad-image');
    expect(error.message).toMatch(message);
    expect(error.fix).toMatch(/PNG, JPEG or WebP/);
  });

  it.each([
    'rgb.png',
    'interlaced.png',
    'photo-420.jpg',
    'photo-progressive.jpg',
    'cmyk.jpg',
    'lossy.webp',
    'lossless.webp',
    'lossy-alpha.webp',
    'animated.webp',
  ])('%s cut anywhere', async (name) => {
    const bytes = fixture(name);
    for (const part of [0.1, 0.3, 0.5, 0.7, 0.9, 0.98]) {
      expect((await refusal(bytes.subarray(0, Math.floor(bytes.length * part)))).code).toBe('bad-image');
    }
    // A PNG has all of its picture before its end chunk.
    const end = name.endsWith('.png') ? 40 : 1;
    expect((await refusal(bytes.subarray(0, bytes.length - end))).message).toMatch(/incomplete/);
  });

  it('a JPEG with coded data missing before its end marker, instead of filling in grey', async () => {
    const bytes = fixture('photo-444.jpg');
    const cut = Buffer.concat([bytes.subarray(0, Math.floor(bytes.length * 0.6)), Buffer.from([0xff, 0xd9])]);
    expect((await refusal(cut)).message).toMatch(/incomplete/);
  });

  it('a WebP whose coded data ends early though its sizes agree', async () => {
    const bytes = Buffer.from(fixture('lossy.webp'));
    const half = Buffer.from(bytes.subarray(0, (bytes.length >> 1) & ~1));
    half.writeUInt32LE(half.length - 8, 4);
    half.writeUInt32LE(half.length - 20, 16);
    expect((await refusal(half)).message).toMatch(/damaged/);
  });

  it.each([
    [1, 1, 'bad-image', /only 1×1/],
    [1, 100, 'bad-image', /only 1×100/],
    [20000, 20, 'bad-image', /200:1/],
    [20, 20000, 'bad-image', /200:1/],
    [6000, 5000, 'image-too-large', /30\.0 megapixels/],
    [60000, 60000, 'image-too-large', /3600\.0 megapixels/],
  ] as const)('%d×%d pixels, by the header alone, in every format', async (width, height, code, message) => {
    const start = performance.now();
    for (const bytes of [png(width, height, new Uint8Array(100)), jpegOfSize(width, height), webpOfSize(width, height)]) {
      const error = await refusal(bytes);
      expect(error.code).toBe(code);
      expect(error.message).toMatch(message);
      expect(error.fix).toMatch(/Use a picture|Crop|Resize/);
    }
    expect(performance.now() - start).toBeLessThan(1000);
  });

  it('no picture at the limits themselves', async () => {
    for (const [width, height] of [
      [2, 2],
      [400, 2],
      [2, 400],
    ] as const) {
      const image = await decodeImage(await encodePng({ width, height, data: new Uint8Array(width * height * 3) }));
      expect([image.width, image.height]).toEqual([width, height]);
    }
    const large = await decodeImage(png(5000, 5000, new Uint8Array(5000 * 626), 0, 1));
    expect(large.data.length).toBe(75_000_000);
  });

  it('a file over 64 MiB, unread', async () => {
    expect((await refusal(new Uint8Array(64 * 1024 * 1024 + 1))).code).toBe('image-too-large');
  });

  it('a PNG that declares 4×4 and inflates to 200 MB, without inflating it', async () => {
    const bomb = png(4, 4, new Uint8Array(200_000_000));
    const before = process.memoryUsage();
    const error = await refusal(bomb);
    const after = process.memoryUsage();
    expect(error.message).toMatch(/more data than its declared size/);
    expect(after.rss + after.external - before.rss - before.external).toBeLessThan(100_000_000);
  });

  it('a PNG with too few rows, and one whose zlib stream is damaged', async () => {
    expect((await refusal(png(40, 40, new Uint8Array(121 * 39)))).message).toMatch(/incomplete/);
    const bytes = png(
      40,
      40,
      Uint8Array.from({ length: 121 * 40 }, (_, i) => (i % 121 ? (i * 7919) >> 3 : 0)),
    );
    const at = bytes.indexOf('IDAT', 0, 'latin1');
    const length = bytes.readUInt32BE(at - 4);
    bytes.fill(0xff, at + 20, at + 60);
    bytes.writeUInt32BE(crc32(bytes.subarray(at, at + 4 + length)), at + 4 + length);
    expect((await refusal(bytes)).message).toMatch(/cannot be unpacked|unknown filter/);
  });

  it('a flipped bit in a PNG', async () => {
    const bytes = Buffer.from(fixture('rgb.png'));
    bytes[bytes.length >> 1]! ^= 4;
    expect((await refusal(bytes)).message).toMatch(/checksum/);
  });

  it('JPEG kinds that no one shows, and endless scans', async () => {
    const lossless = Buffer.from(fixture('photo-444.jpg'));
    lossless[lossless.indexOf(Buffer.from([0xff, 0xc0])) + 1] = 0xc3;
    expect((await refusal(lossless)).message).toMatch(/lossless/);
    const bytes = fixture('photo-progressive.jpg');
    const scan = Buffer.from(bytes).lastIndexOf(Buffer.from([0xff, 0xda]));
    const last = bytes.subarray(scan, bytes.length - 2);
    const endless = Buffer.concat([bytes.subarray(0, scan), ...new Array<Uint8Array>(200).fill(last), Buffer.from([0xff, 0xd9])]);
    expect((await refusal(endless)).message).toMatch(/100 scans/);
  });

  it('garbage behind every valid beginning, without any other error', async () => {
    let seed = 7;
    const random = () => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) >>> 8;
    for (const name of [
      'rgb.png',
      'photo-420.jpg',
      'photo-progressive.jpg',
      'cmyk.jpg',
      'lossy.webp',
      'lossless.webp',
      'animated.webp',
      'exif-6.jpg',
    ]) {
      for (let round = 0; round < 25; round++) {
        const bytes = Buffer.from(fixture(name));
        for (let i = 0; i < 4; i++) bytes[random() % bytes.length] = random() & 255;
        const outcome = await decodeImage(bytes).catch((error: unknown) => error);
        expect(
          outcome instanceof NvlmError || (outcome as { data: unknown }).data instanceof Uint8Array,
          `${name} ${round}: ${String(outcome)}`,
        ).toBe(true);
      }
    }
  });
});
