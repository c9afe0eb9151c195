import { expect, it } from 'vitest';
import { NvlmError } from '../../errors.ts';
import { MemoryFolder } from '../../files/memory-folder.ts';
import { defaultLines, type FewRowsOp, type Lines, type ProductShape } from '../../ops/few-rows-lines.ts';
import { BUDGET_MS, chooseVariants, type Trial, type VariantRecord } from './choose-variants.ts';
import { readVariants, writeVariants } from './kept-variants.ts';

/** Trials on a clock of their own: a variant takes as long as its entry says, and puts out ones unless it is told otherwise. */
class Bench {
  ms = 0;
  timed: string[] = [];
  disposed = 0;
  readonly now = () => this.ms;

  trial(
    op: FewRowsOp,
    shape: ProductShape,
    times: Record<Lines, number>,
    outputs: Partial<Record<Lines, Float32Array | NvlmError>> = {},
  ): Trial {
    return {
      op,
      shape,
      time: async (lines) => {
        this.timed.push(`${op} ${shape.layout} ${lines}`);
        this.ms += times[lines];
        return times[lines];
      },
      outputs: async (lines) => {
        const given = outputs[lines] ?? Float32Array.of(1, -1, 0.5);
        if (given instanceof NvlmError) throw given;
        return given;
      },
      dispose: () => void this.disposed++,
    };
  }
}

const shape = { layout: 'f16', inFeatures: 896, outFeatures: 4864 } as const;
const CLASS = 'recordedProduct f16 1024 × 8192';
const fresh = (): VariantRecord => ({ choices: new Map(), refused: new Set() });

it.each([
  ['the fastest', { 4: 0.8, 8: 1, 16: 0.5 }, 16],
  ['the default where the rest is slower', { 4: 2, 8: 1, 16: 3 }, 8],
  ['the default where another is faster by no more than noise', { 4: 0.95, 8: 1, 16: 0.91 }, 8],
] as const)('takes %s', async (_, times, chosen) => {
  expect(defaultLines('recordedProduct', shape)).toBe(8);
  const bench = new Bench();
  const record = fresh();
  await chooseVariants([bench.trial('recordedProduct', shape, times)], record, bench.now);
  expect([...record.choices]).toEqual([[CLASS, chosen]]);
  expect([...record.refused]).toEqual([]);
  expect(bench.disposed).toBe(1);
});

it('counts the least of several timings in turn, for others use the device too', async () => {
  const bench = new Bench();
  const trial = bench.trial('recordedProduct', shape, { 4: 1, 8: 1, 16: 0.5 });
  let slow = 3;
  const record = fresh();
  const time: Trial['time'] = async (lines) => (lines === 16 && slow-- > 2 ? 9 : trial.time(lines));
  await chooseVariants([{ ...trial, time }], record, bench.now);
  expect(record.choices.get(CLASS)).toBe(16);
});

it('refuses a variant that computes something else, gives no number or does not compile, however fast', async () => {
  const bench = new Bench();
  const times = { 4: 0.1, 8: 1, 16: 0.1 };
  const bad = new NvlmError('shader-failed', 'No.', 'Do without.');
  const record = fresh();
  await chooseVariants(
    [
      bench.trial('recordedProduct', shape, times, { 4: Float32Array.of(1, -1, 0.501), 16: Float32Array.of(1, NaN, 0.5) }),
      bench.trial('recordedSwiglu', shape, times, { 16: bad }),
    ],
    record,
    bench.now,
  );
  expect([...record.refused].sort()).toEqual([
    'recordedProduct f16 16 lines',
    'recordedProduct f16 4 lines',
    'recordedSwiglu f16 16 lines',
  ]);
  expect([...record.choices.values()]).toEqual([8, 4]);
  expect(bench.timed).not.toContain('recordedProduct f16 4');

  // Refused once, never tried again.
  const later = new Bench();
  record.choices.clear();
  await chooseVariants([later.trial('recordedProduct', shape, times)], record, later.now);
  expect(record.choices.get(CLASS)).toBe(8);
  expect(later.timed).toEqual([]);
});

it('passes on what is no fault of a variant, such as a lost device', async () => {
  const bench = new Bench();
  const gone = new NvlmError('device-lost', 'It went.', 'Load again.');
  const record = fresh();
  await expect(
    chooseVariants([bench.trial('recordedProduct', shape, { 4: 1, 8: 1, 16: 1 }, { 4: gone })], record, bench.now),
  ).rejects.toThrow(gone);
  expect(bench.disposed).toBe(1);
  expect(record).toEqual(fresh());
});

it('stops when the time is over, and leaves the rest to the next load', async () => {
  const bench = new Bench();
  const slow = { 4: BUDGET_MS / 8, 8: BUDGET_MS / 8, 16: BUDGET_MS / 8 };
  const trials = (['f16', 'affine4', 'affine8'] as const).map((layout) => bench.trial('recordedProduct', { ...shape, layout }, slow));
  const record = fresh();
  await chooseVariants(trials, record, bench.now);
  expect([...record.choices.keys()]).toEqual([CLASS]);
});

const adapter = { vendor: 'v', architecture: 'a', device: 'd', description: 'x', software: false };

it('is kept for each adapter', async () => {
  const folder = new MemoryFolder();
  const one: VariantRecord = { choices: new Map([[CLASS, 16]]), refused: new Set(['linear f16 8 lines']) };
  await writeVariants(folder, adapter, one);
  await writeVariants(folder, { ...adapter, device: 'other' }, fresh());
  expect(await readVariants(folder, adapter)).toEqual(one);
  expect(await readVariants(folder, { ...adapter, device: 'other' })).toEqual(fresh());
  expect(await readVariants(folder, { ...adapter, device: 'third' })).toEqual(fresh());
});

it.each([
  ['cut short', '{"version":1,"ad'],
  ['of another version', '{"version":0,"adapters":{"v | a | d | x":{"choices":{"c":16},"refused":[]}}}'],
  ['of another kind', '{"version":1,"adapters":{"v | a | d | x":7}}'],
  ['with a variant that is none', '{"version":1,"adapters":{"v | a | d | x":{"choices":{"c":12},"refused":[]}}}'],
])('a file %s tells nothing, and is replaced', async (_, text) => {
  const folder = new MemoryFolder();
  await folder.write('devices/variants.json', new TextEncoder().encode(text));
  expect(await readVariants(folder, adapter)).toEqual(fresh());
  await writeVariants(folder, adapter, { choices: new Map([[CLASS, 4]]), refused: new Set() });
  expect((await readVariants(folder, adapter)).choices.get(CLASS)).toBe(4);
});
