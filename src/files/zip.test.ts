import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { crc32 } from './crc32.ts';
import { readZip, type ZipSource } from './read-zip.ts';
import { writeZip } from './write-zip.ts';

const text = (value: string) => new TextEncoder().encode(value);
const FILES = [
  { path: 'adapter_config.json', bytes: text('{"r":8}') },
  { path: 'model/größe.bin', bytes: Uint8Array.from({ length: 1_300_000 }, (_, i) => (i * 31) & 255) },
  { path: 'empty', bytes: new Uint8Array(0) },
];

async function zipOf(files: Iterable<{ path: string; bytes: Uint8Array | Blob }>): Promise<Uint8Array> {
  const parts: BlobPart[] = [];
  for await (const part of writeZip(files)) parts.push(part as Uint8Array<ArrayBuffer> | Blob);
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

const source = (bytes: Uint8Array): ZipSource => ({
  path: 'a.zip',
  size: bytes.length,
  slice: async (start, end) => bytes.subarray(start, end),
});

async function unzipped(bytes: Uint8Array, most = 2 ** 24) {
  const members = await readZip(source(bytes), { files: 100, bytes: most });
  return Promise.all(members.map(async ({ path, read }) => ({ path, bytes: await read() })));
}

/** A zip of one deflated member that may lie about its size. */
async function deflatedZip(content: Uint8Array, declared = content.length): Promise<Uint8Array> {
  const packed = deflateRawSync(content);
  const out = await zipOf([{ path: 'a', bytes: packed }]);
  const view = new DataView(out.buffer);
  for (const at of [8, 31 + packed.length + 10]) {
    view.setUint16(at, 8, true);
    view.setUint32(at + 6, crc32(content), true);
    view.setUint32(at + 14, declared, true);
  }
  return out;
}

describe('zip', () => {
  it('gives back what went in, bytes and blobs', async () => {
    const back = await unzipped(await zipOf(FILES));
    expect(back.map(({ path }) => path)).toEqual(FILES.map(({ path }) => path));
    back.forEach(({ bytes }, i) => expect(Buffer.compare(bytes, FILES[i]!.bytes)).toBe(0));
    const blobs = FILES.map(({ path, bytes }) => ({ path, bytes: new Blob([bytes]) }));
    expect(Buffer.compare(await zipOf(blobs), await zipOf(FILES))).toBe(0);
  });

  it('understands names as writers of all times have written them', async () => {
    const named = async (name: Uint8Array, { utf8 = false, extra = new Uint8Array(0) } = {}) => {
      const out = [...(await zipOf([{ path: 'x'.repeat(name.length), bytes: text('1') }]))];
      const central = out.length - 22 - 46 - name.length;
      for (const [at, from] of [
        [6, 30],
        [central + 8, central + 46],
      ] as const) {
        out[at + 1] = utf8 ? 8 : 0;
        out.splice(from, name.length, ...name);
      }
      out[central + 30] = extra.length;
      out.splice(central + 46 + name.length, 0, ...extra);
      out[out.length - 10]! += extra.length;
      return (await readZip(source(Uint8Array.from(out)), { files: 9, bytes: 99 }))[0]!.path;
    };
    expect(await named(text('größe.png'), { utf8: true })).toBe('größe.png');
    // macOS does not say that it is UTF-8; DOS and Windows write code page 437.
    expect(await named(text('cafe\u0301.png'))).toBe('cafe\u0301.png');
    expect(await named(Uint8Array.from([0x63, 0x61, 0x66, 0x82, 0x5c, 0x81, 0x2e, 0x70]))).toBe('café/ü.p');
    const plain = Uint8Array.from([0x82, 0x2e, 0x70]);
    const crc = new Uint8Array(4);
    new DataView(crc.buffer).setUint32(0, crc32(plain), true);
    const own = [0x75, 0x70, 5 + 4, 0, 1, ...crc, ...text('€p')];
    expect(await named(plain, { extra: Uint8Array.from(own) })).toBe('€p');
    own[5]! ^= 1;
    expect(await named(plain, { extra: Uint8Array.from(own) })).toBe('é.p');
  });

  it('carries the checksums that other programs check', async () => {
    const view = new DataView((await zipOf(FILES)).buffer);
    // Of the ASCII digits 1 to 9, as every description of CRC-32 gives it.
    expect(crc32(text('123456789'))).toBe(0xcbf43926);
    expect(crc32(text('6789'), crc32(text('12345')))).toBe(0xcbf43926);
    expect(view.getUint32(14, true)).toBe(crc32(FILES[0]!.bytes));
  });

  it('reads deflated members, unpacks no more than is declared, and nothing when too much is declared', async () => {
    const content = text('deflated '.repeat(50));
    expect((await unzipped(await deflatedZip(content)))[0]!.bytes).toEqual(content);
    const bomb = new Uint8Array(10_000_000);
    await expect(unzipped(await deflatedZip(bomb, 1000))).rejects.toThrow('more than it declares');
    await expect(unzipped(await deflatedZip(bomb, 0xf0000000))).rejects.toThrow('unpack to more');
  });

  it('leaves out folders, and says what cannot be read', async () => {
    const bytes = await zipOf([
      { path: 'folder/', bytes: new Uint8Array(0) },
      { path: 'a', bytes: text('x') },
    ]);
    const central = bytes.length - 22 - 47;
    bytes[central + 8]! |= 1;
    const members = await readZip(source(bytes), { files: 2, bytes: 10 });
    expect(members.map(({ path, obstacle }) => [path, obstacle])).toEqual([['a', 'it is encrypted']]);
    await expect(readZip(source(bytes), { files: 1, bytes: 10 })).rejects.toThrow('holds 2 files');
  });

  it('refuses what is no zip, cut off or damaged: whatever byte is wrong, an answer or a named error', async () => {
    await expect(unzipped(text('no zip at all'))).rejects.toMatchObject({ code: 'bad-data' });
    const whole = await zipOf(FILES.slice(0, 1));
    await expect(unzipped(whole.subarray(0, 30))).rejects.toMatchObject({ code: 'bad-data' });
    for (let at = 0; at < whole.length; at++) {
      for (const value of [0, 0xff]) {
        const broken = whole.slice();
        broken[at] = value;
        await unzipped(broken).catch((error: unknown) => expect(error).toMatchObject({ code: 'bad-data' }));
      }
    }
    const content = 30 + 'adapter_config.json'.length;
    whole[content]! ^= 1;
    await expect(unzipped(whole)).rejects.toThrow('it is damaged');
  });
});
