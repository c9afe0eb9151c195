import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NvlmError } from '../errors.ts';
import { DTYPE_BYTES, isDType } from './dtype.ts';
import { blobFiles } from './blob-files.ts';
import type { SafetensorsHeader } from './safetensors.ts';
import { headerLength, parseHeader, parseSafetensors, readHeader, writeSafetensors } from './safetensors.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);
const FILE = 'model.safetensors';

function parse(text: string, dataBytes: number): SafetensorsHeader {
  const json = utf8(text);
  return parseHeader(json, 8 + json.length + dataBytes, FILE);
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof NvlmError) return error.code;
    throw error;
  }
  return 'accepted';
}

describe('a header', () => {
  it('gives entries in file order with spans in the file', () => {
    const text =
      '{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},"a":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]}}';
    const { tensors, metadata, dataStart } = parse(text, 12);
    expect(dataStart).toBe(8 + text.length);
    expect(metadata.format).toBe('pt');
    expect(tensors).toEqual([
      { name: 'a', dtype: 'F16', shape: [1, 2], file: FILE, start: dataStart, end: dataStart + 4 },
      { name: 'b', dtype: 'F32', shape: [2], file: FILE, start: dataStart + 4, end: dataStart + 12 },
    ]);
  });

  it('may have gaps, odd offsets, scalars and empty tensors', () => {
    const text =
      '{"s":{"dtype":"F32","shape":[],"data_offsets":[3,7]},"e":{"dtype":"F32","shape":[0,9007199254740991],"data_offsets":[5,5]}}';
    expect(
      parse(text, 20)
        .tensors.map(({ name }) => name)
        .sort(),
    ).toEqual(['e', 's']);
  });

  const tensor = (over: object) => JSON.stringify({ t: { dtype: 'F32', shape: [2, 2], data_offsets: [0, 16], ...over } });
  it.each([
    ['nothing', ''],
    ['not JSON', '{"t":'],
    ['not an object', '[]'],
    ['no description', '{"t":1}'],
    ['no dtype', tensor({ dtype: undefined })],
    ['a negative dimension', tensor({ shape: [-2, -2] })],
    ['a fractional dimension', tensor({ shape: [0.5, 8] })],
    ['a shape of text', tensor({ shape: ['2', '2'] })],
    ['a shape that is no list', tensor({ shape: 4 })],
    ['a dimension past 2^53', '{"t":{"dtype":"F32","shape":[9007199254740993],"data_offsets":[0,16]}}'],
    ['a product past 2^53', tensor({ shape: [2 ** 40, 2 ** 40] })],
    ['a product that wraps to 0 in 64 bits', tensor({ shape: [2 ** 32, 2 ** 32], data_offsets: [0, 0] })],
    ['offsets past the end', tensor({ shape: [100], data_offsets: [0, 400] })],
    ['negative offsets', tensor({ data_offsets: [-16, 0] })],
    ['reversed offsets', tensor({ data_offsets: [16, 0] })],
    ['fractional offsets', tensor({ data_offsets: [0.5, 16.5] })],
    ['one offset', tensor({ data_offsets: [0] })],
    ['a span that does not fit the shape', tensor({ data_offsets: [0, 12] })],
    ['a duplicate key', '{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"t":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}'],
    [
      'an escaped duplicate key',
      '{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0074":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}',
    ],
    ['a duplicate inner key', '{"t":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}'],
    ['a prototype key', '{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'],
    ['a constructor key', '{"t":{"constructor":1,"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'],
    ['overlapping tensors', '{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[3,7]}}'],
    [
      'a tensor inside another',
      '{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}',
    ],
    ['metadata that is not text', '{"__metadata__":{"a":1}}'],
    ['metadata that is no object', '{"__metadata__":"a"}'],
    ['something behind it', '{}{}'],
    ['deep nesting', `{"t":${'['.repeat(1000)}${']'.repeat(1000)}}`],
    ['bad escapes', '{"\\x":1}'],
  ])('with %s is refused', (_, text) => {
    expect(codeOf(() => parse(text, 16))).toBe('bad-model');
  });

  it('with an unknown element type says so', () => {
    expect(codeOf(() => parse('{"t":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}', 1))).toBe('unsupported-model');
    expect(codeOf(() => parse('{"t":{"dtype":"toString","shape":[2],"data_offsets":[0,1]}}', 1))).toBe('unsupported-model');
  });

  it('that is not UTF-8 is refused', () => {
    expect(codeOf(() => parseHeader(Uint8Array.of(0x7b, 0xff, 0x7d), 100, FILE))).toBe('bad-model');
  });

  it('longer than the file or the format allows is refused from its 8 length bytes', () => {
    const length = (n: bigint) => new Uint8Array(BigUint64Array.of(n).buffer);
    for (const n of [0n, 1n, 93n, 100_000_001n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
      expect(codeOf(() => headerLength(length(n), n === 100_000_001n ? 2 ** 40 : 100, FILE))).toBe('bad-model');
    }
    expect(headerLength(length(92n), 100, FILE)).toBe(92);
  });

  it('that claims 100 MB is refused before anything is read for it', async () => {
    const bytes = new Uint8Array(64);
    new DataView(bytes.buffer).setBigUint64(0, 100_000_000n, true);
    const reads: number[] = [];
    const files = blobFiles([{ path: FILE, blob: new Blob([bytes]) }], 'x');
    const watched = {
      ...files,
      read: (...args: Parameters<typeof files.read>) => (reads.push(args[2] - args[1]), files.read(...args)),
    };
    await expect(readHeader(watched, FILE)).rejects.toMatchObject({ code: 'bad-model' });
    // The same of a file that is said to be large enough for it.
    const huge = { ...watched, size: async () => 2 ** 40 };
    await expect(readHeader(huge, FILE)).rejects.toMatchObject({ code: 'bad-model' });
    expect(reads).toEqual([8, 8]);
  });
});

/** What every accepted header must satisfy, whatever it says. */
function checkInvariants({ tensors, dataStart }: SafetensorsHeader, fileSize: number): void {
  let last = dataStart;
  const names = new Set<string>();
  for (const { name, dtype, shape, start, end } of tensors) {
    expect(isDType(dtype)).toBe(true);
    expect(names.has(name)).toBe(false);
    names.add(name);
    expect(shape.every((n) => Number.isSafeInteger(n) && n >= 0)).toBe(true);
    expect(end - start).toBe(shape.reduce((a, b) => a * b, DTYPE_BYTES[dtype]));
    expect(start).toBeGreaterThanOrEqual(dataStart);
    expect(end).toBeLessThanOrEqual(fileSize);
    if (end > start) {
      expect(start).toBeGreaterThanOrEqual(last);
      last = end;
    }
  }
}

describe('hostile headers', () => {
  const odd = fc.oneof(
    fc.integer({ min: -4, max: 40 }),
    fc.constantFrom(2 ** 31, 2 ** 32, 2 ** 53, 2 ** 63, -(2 ** 53), 1e308, -0, 0.5),
    fc.constantFrom(null, true, '4', '', '__proto__'),
  );
  const entry = fc.record(
    {
      dtype: fc.oneof({ weight: 6, arbitrary: fc.constantFrom('F32', 'F16', 'U8', 'I64', 'BOOL') }, { weight: 1, arbitrary: odd }),
      shape: fc.oneof(
        {
          weight: 6,
          arbitrary: fc.array(fc.oneof({ weight: 8, arbitrary: fc.nat(3) }, { weight: 1, arbitrary: odd }), {
            maxLength: 3,
          }),
        },
        { weight: 1, arbitrary: odd },
      ),
      data_offsets: fc.oneof(
        { weight: 6, arbitrary: fc.tuple(fc.nat(24), fc.nat(24)) },
        { weight: 1, arbitrary: fc.array(odd, { maxLength: 3 }) },
      ),
    },
    { requiredKeys: ['shape'] },
  );
  /** Entries whose span fits their shape, so that many are accepted and overlap is what decides. */
  const fitting = fc
    .record({ dtype: fc.constantFrom('F16', 'U8'), shape: fc.array(fc.nat(3), { maxLength: 2 }), from: fc.nat(24) })
    .map(({ dtype, shape, from }) => ({
      dtype,
      shape,
      data_offsets: [from, from + shape.reduce((a, b) => a * b, dtype === 'F16' ? 2 : 1)],
    }));
  const name = fc.oneof(
    fc.constantFrom('a', 'b', 'c', '__metadata__', '__proto__', 'constructor', 'hasOwnProperty'),
    fc.string({ maxLength: 4 }),
  );
  const pairs = fc.array(fc.tuple(name, fc.oneof(entry, fitting, fitting)), { maxLength: 4 });

  it('are refused with a reason, or satisfy every rule (5000 made-up headers)', () => {
    let accepted = 0;
    fc.assert(
      fc.property(pairs, fc.nat(32), (list, dataBytes) => {
        const json = utf8(`{${list.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`);
        const size = 8 + json.length + dataBytes;
        try {
          const header = parseHeader(json, size, FILE);
          checkInvariants(header, size);
          expect(new Set(list.map(([key]) => key)).size).toBe(list.length);
          if (header.tensors.length > 1) accepted++;
        } catch (error) {
          if (!(error instanceof NvlmError)) throw error;
          expect(['bad-model', 'unsupported-model']).toContain(error.code);
        }
      }),
      { numRuns: 5000 },
    );
    // Were nearly all refused, the rules for accepted ones would have tested nothing.
    expect(accepted).toBeGreaterThan(50);
  });

  it('made by flipping bytes of a real file never get past the rules (5000 files)', () => {
    const real = writeSafetensors([
      { name: 'one', dtype: 'F32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
      { name: 'two', dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 3) },
    ]);
    const flip = fc.tuple(fc.nat(real.length - 1), fc.integer({ min: 1, max: 255 }));
    fc.assert(
      fc.property(fc.array(flip, { minLength: 1, maxLength: 4 }), fc.nat(20), (flips, cut) => {
        const bytes = real.slice(0, real.length - cut);
        for (const [at, mask] of flips) if (at < bytes.length) bytes[at]! ^= mask;
        try {
          const length = headerLength(bytes.subarray(0, 8), bytes.length, FILE);
          checkInvariants(parseHeader(bytes.subarray(8, 8 + length), bytes.length, FILE), bytes.length);
        } catch (error) {
          if (!(error instanceof NvlmError)) throw error;
        }
      }),
      { numRuns: 5000 },
    );
  });
});

describe('written files', () => {
  it('equal the reference writer byte for byte', () => {
    const url = new URL('../../tests/fixtures/weights/reference.safetensors', import.meta.url);
    const reference = new Uint8Array(readFileSync(url));
    const tensors = [...parseSafetensors(reference, 'reference').values()];
    expect(tensors.length).toBeGreaterThan(0);
    const data = tensors.map((tensor) => ({ ...tensor, data: tensor.bytes }));
    expect(Buffer.from(writeSafetensors(data, { format: 'pt' }))).toEqual(Buffer.from(reference));
  });

  it('are read back, aligned, with metadata, every type', () => {
    const bytes = writeSafetensors(
      [
        { name: 'u8', dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 3) },
        { name: 'f32', dtype: 'F32', shape: [2, 1], data: Float32Array.of(1.5, -2) },
        { name: 'f16', dtype: 'F16', shape: [2], data: Float32Array.of(1, -2) },
        { name: 'bf16', dtype: 'BF16', shape: [2], data: Float32Array.of(1, -2) },
        { name: 'raw16', dtype: 'F16', shape: [1], data: Uint16Array.of(0x3c00) },
        { name: 'i64', dtype: 'I64', shape: [1], data: BigInt64Array.of(-5n) },
        { name: 'u32', dtype: 'U32', shape: [1], data: Uint32Array.of(0xffffffff) },
        { name: 'i32 "quoted" ü', dtype: 'I32', shape: [], data: Int32Array.of(-1) },
      ],
      { format: 'pt' },
    );
    const tensors = parseSafetensors(bytes, 'x');
    expect([...tensors.keys()]).toEqual(['i64', 'f32', 'u32', 'i32 "quoted" ü', 'bf16', 'f16', 'raw16', 'u8']);
    for (const { bytes: part, dtype } of tensors.values()) expect(part.byteOffset % DTYPE_BYTES[dtype]).toBe(0);
    expect([...tensors.get('f16')!.bytes]).toEqual([0x00, 0x3c, 0x00, 0xc0]);
    expect([...tensors.get('bf16')!.bytes]).toEqual([0x80, 0x3f, 0x00, 0xc0]);
    expect([...tensors.get('i64')!.bytes]).toEqual([0xfb, 255, 255, 255, 255, 255, 255, 255]);
    expect(tensors.get('i32 "quoted" ü')!.shape).toEqual([]);
  });

  it('cannot be made of data that does not fit, or of two tensors with one name', () => {
    const one = { name: 'a', dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) } as const;
    expect(codeOf(() => writeSafetensors([one, one]))).toBe('bad-data');
    expect(codeOf(() => writeSafetensors([{ ...one, shape: [3] }]))).toBe('bad-data');
  });
});
