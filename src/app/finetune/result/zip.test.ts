import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../../tiling/crc32.ts';
import { unzipped, zipped } from './zip.ts';

const files = [
  { path: 'adapter_config.json', bytes: new TextEncoder().encode('{"r":8}') },
  { path: 'model/größe.bin', bytes: Uint8Array.from({ length: 1_300_000 }, (_, i) => (i * 31) & 255) },
  { path: 'empty', bytes: new Uint8Array(0) },
];

describe('zip', () => {
  it('gives back what went in', async () => {
    const back = await unzipped(await zipped(files));
    expect(back.map(({ path }) => path)).toEqual(files.map(({ path }) => path));
    back.forEach(({ bytes }, i) => expect(Buffer.compare(bytes, files[i]!.bytes)).toBe(0));
  });

  it('carries the checksums that other programs check', async () => {
    const bytes = new DataView(await (await zipped(files)).arrayBuffer());
    expect(bytes.getUint32(14, true)).toBe(crc32(files[0]!.bytes));
  });

  it('reads packed members', async () => {
    const plain = new TextEncoder().encode('steps '.repeat(1000));
    const packed = deflateRawSync(plain);
    const bytes = new Uint8Array(await (await zipped([{ path: 'log.jsonl', bytes: packed }])).arrayBuffer());
    const view = new DataView(bytes.buffer);
    const central = 30 + 'log.jsonl'.length + packed.length;
    view.setUint16(8, 8, true);
    view.setUint16(central + 10, 8, true);
    view.setUint32(central + 24, plain.length, true);
    expect((await unzipped(new Blob([bytes])))[0]!.bytes).toEqual(plain);
    view.setUint32(central + 24, plain.length - 1, true);
    await expect(unzipped(new Blob([bytes]))).rejects.toThrow('longer than it says');
  });

  it('refuses what is cut off, lies or is too much', async () => {
    const whole = new Uint8Array(await (await zipped(files.slice(0, 1))).arrayBuffer());
    await expect(unzipped(new Blob([whole.subarray(0, 30)]))).rejects.toMatchObject({ code: 'bad-data' });
    await expect(unzipped(new Blob([whole]), 3)).rejects.toThrow('more than can be taken');
    for (let at = 0; at < whole.length; at++) {
      const broken = whole.slice();
      broken[at] = 0xff;
      // Whatever byte is wrong: an answer or a named error, never anything else.
      await unzipped(new Blob([broken]), 10_000).catch((error: unknown) =>
        expect(error).toMatchObject({ code: 'bad-data' }),
      );
    }
  });
});
