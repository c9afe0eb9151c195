import { readFileSync } from 'node:fs';
import { describe, it } from 'vitest';
import { expectTyped, hostileFiles } from '../../tests/support/hostile.ts';
import { crc32 } from '../files/crc32.ts';
import { decodeImage } from './decode.ts';

const fixture = (name: string) => Uint8Array.from(readFileSync(new URL(`../../tests/fixtures/tiling/files/${name}`, import.meta.url)));
const cases = JSON.parse(readFileSync(new URL('../../tests/fixtures/tiling/pillow-cases.json', import.meta.url), 'utf8')) as {
  name: string;
  file: string;
}[];
const small = (kind: string) =>
  cases.filter(({ name }) => name.startsWith(kind)).map(({ file }) => Uint8Array.from(Buffer.from(file, 'base64')));

/** With right checksums, so that what is wrong gets past them. */
function checked(bytes: Uint8Array): Uint8Array {
  const out = bytes.slice();
  const view = new DataView(out.buffer);
  for (let at = 8; at + 12 <= out.length; ) {
    const length = view.getUint32(at);
    if (length > out.length - at - 12) break;
    view.setUint32(at + 8 + length, crc32(out.subarray(at + 4, at + 8 + length)));
    at += 12 + length;
  }
  return out;
}

describe('10,000 hostile pictures give a typed error or pixels', () => {
  it('PNG', () => expectTyped(hostileFiles([...small('PNG'), fixture('interlaced-tiny.png')]).map(checked), decodeImage, 7000));
  it('JPEG', () => expectTyped(hostileFiles([...small('JPEG'), fixture('photo-progressive.jpg'), fixture('cmyk.jpg')]), decodeImage, 1500));
  it('WebP', () =>
    expectTyped(hostileFiles([...small('WebP'), fixture('lossy-alpha.webp'), fixture('animated-lossy.webp')]), decodeImage, 1500));
});
