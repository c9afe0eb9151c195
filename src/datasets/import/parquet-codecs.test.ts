import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { CompressionCodec, FileMetaData } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { codecsOf } from './parquet-codecs.ts';

const LENGTH = 1000;
const HUGE = 50_000_000;

/** A frame whose 1,500 blocks each stand for 128 KiB of one byte (RFC 8878 §3.1.1). */
function zstdBomb(): Uint8Array {
  const block = (last: boolean) => {
    const header = ((2 ** 17) << 3) | (1 << 1) | Number(last);
    return [header & 255, (header >> 8) & 255, header >> 16, 0x41];
  };
  return Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38, ...Array.from({ length: 1500 }, (_, i) => block(i === 1499)).flat()]);
}

/** One byte, repeated as often as the length of the match says. */
const lz4Bomb = () => Uint8Array.from([0x1f, 0x41, 1, 0, ...new Array<number>(800_000).fill(255), 0]);

const BOMBS: [CompressionCodec, () => Uint8Array][] = [
  ['GZIP', () => gzipSync(new Uint8Array(HUGE), { level: 1 })],
  ['ZSTD', zstdBomb],
  ['BROTLI', () => brotliCompressSync(new Uint8Array(HUGE), { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })],
  ['LZ4', lz4Bomb],
  ['LZ4_RAW', lz4Bomb],
];

describe('what unpacks the pages of parquet', () => {
  it.each(BOMBS)('%s stops at the length that the page declares', async (codec, bomb) => {
    const packed = bomb();
    const metadata = { row_groups: [{ columns: [{ meta_data: { codec } }] }] } as unknown as FileMetaData;
    const unpack = (await codecsOf(metadata))[codec]!;
    const before = process.memoryUsage().arrayBuffers;
    let length = 0;
    try {
      length = unpack(packed, LENGTH).length;
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
    }
    expect(length).toBeLessThanOrEqual(LENGTH);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
  });
});
