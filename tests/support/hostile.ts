import fc from 'fast-check';
import { expect } from 'vitest';
import { NvlmError } from '../../src/errors.ts';

/** Numbers that lengths and counts go wrong with. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

type Change =
  | { kind: 'byte'; at: number; value: number }
  | { kind: 'number'; at: number; value: number; little: boolean }
  | { kind: 'cut'; at: number }
  | { kind: 'remove'; at: number; length: number }
  | { kind: 'double'; at: number; length: number };

const at = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('byte' as const), at, value: fc.integer({ min: 0, max: 255 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('number' as const), at, value: fc.constantFrom(...EDGES), little: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), at }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), at, length: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('double' as const), at, length: fc.integer({ min: 1, max: 40 }) }) },
);

/** Valid files with a few bytes changed, cut out, doubled; and, one in ten, bytes from nowhere. */
export function hostileFiles(files: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const changed = fc
    .tuple(fc.constantFrom(...files), fc.array(change, { minLength: 1, maxLength: 4 }))
    .map(([file, changes]) => changes.reduce(apply, file));
  return fc.oneof({ weight: 9, arbitrary: changed }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) });
}

function apply(bytes: Uint8Array, change: Change): Uint8Array {
  const place = Math.floor(change.at * bytes.length);
  if (change.kind === 'cut') return bytes.subarray(0, place);
  if (change.kind === 'remove') return Uint8Array.from([...bytes.subarray(0, place), ...bytes.subarray(place + change.length)]);
  if (change.kind === 'double') return Uint8Array.from([...bytes.subarray(0, place + change.length), ...bytes.subarray(place)]);
  const out = bytes.slice();
  if (change.kind === 'byte') out.fill(change.value, place, place + 1);
  else if (place + 4 <= out.length) new DataView(out.buffer).setUint32(place, change.value, change.little);
  return out;
}

/** Of this process, so that a busy machine makes no difference. */
const WORST_CPU_MS = 2000;
/** By how much what is held outside of the heap may grow, over all inputs. */
const MOST_BYTES = 300 * 2 ** 20;

/** A value or a typed error, in time. @returns whether it is a value */
export async function endsTyped(parse: () => unknown): Promise<boolean> {
  const start = process.cpuUsage();
  let isValue = true;
  try {
    await parse();
  } catch (error) {
    if (!(error instanceof NvlmError)) throw error;
    expect(error.fix).not.toBe('');
    isValue = false;
  }
  const { user, system } = process.cpuUsage(start);
  expect((user + system) / 1000).toBeLessThan(WORST_CPU_MS);
  return isValue;
}

/** So for every one of so many inputs, with bounded memory. */
export async function expectTyped<T>(inputs: fc.Arbitrary<T>, parse: (input: T) => unknown, runs = 10_000): Promise<void> {
  const before = process.memoryUsage().arrayBuffers;
  let values = 0;
  const property = fc.asyncProperty(inputs, async (input) => {
    if (await endsTyped(() => parse(input))) values += 1;
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MOST_BYTES);
  });
  await fc.assert(property, { numRuns: runs });
  // Nothing but errors would say that the inputs are no longer near to valid ones.
  expect(values).toBeGreaterThan(0);
}
