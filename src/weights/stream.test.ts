import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { smallModel } from '../../tests/fixtures/weights/small-model.ts';
import { blobFiles } from './blob-files.ts';
import { DTYPE_BYTES } from './dtype.ts';
import type { ModelFolder } from './model-folder.ts';
import { openModelFolder } from './model-folder.ts';
import { etaSeconds, startRate, updateRate } from './progress.ts';
import type { TensorEntry } from './safetensors.ts';
import type { ModelFiles } from './source.ts';
import type { StreamProgress } from './stream.ts';
import { planReads, readTensor, streamTensors } from './stream.ts';

function blobs(): ModelFiles {
  const picked = Object.entries(smallModel()).map(([path, bytes]) => ({
    path,
    blob: new Blob([bytes as Uint8Array<ArrayBuffer>]),
  }));
  return blobFiles(picked, 'small');
}

/** The folder, with every read noted while it is open. */
async function watchedFolder(): Promise<{
  folder: ModelFolder;
  log: { bytes: number; most: number; open: number; finished: string[]; signals: (AbortSignal | undefined)[] };
}> {
  const files = blobs();
  const log = { bytes: 0, most: 0, open: 0, finished: [] as string[], signals: [] as (AbortSignal | undefined)[] };
  const watched: ModelFiles = {
    ...files,
    async read(path, start, end, signal) {
      log.open++;
      log.most = Math.max(log.most, log.open);
      log.bytes = Math.max(log.bytes, end - start);
      log.signals.push(signal);
      await new Promise((resolve) => setTimeout(resolve, 1));
      log.open--;
      return files.read(path, start, end, signal);
    },
    finish: async (path) => void log.finished.push(path),
  };
  const folder = await openModelFolder(watched);
  Object.assign(log, { bytes: 0, most: 0, finished: [], signals: [] });
  return { folder, log };
}

describe('the plan of reads', () => {
  const layout = fc.array(
    fc.record({
      gap: fc.oneof(fc.nat(4), fc.integer({ min: 1000, max: 70_000 })),
      rows: fc.nat(12),
      columns: fc.nat(60),
      file: fc.nat(2),
    }),
    { maxLength: 8 },
  );

  it('covers every tensor once, within the bound, in whole rows, forwards in each file (2000 layouts)', () => {
    fc.assert(
      fc.property(layout, fc.integer({ min: 16, max: 3000 }), fc.integer(), (list, chunkBytes, seed) => {
        const at = [8, 8, 8];
        const entries: TensorEntry[] = list.map(({ gap, rows, columns, file }, i) => {
          const start = at[file]! + gap;
          const end = start + rows * columns * 2;
          at[file] = end;
          return { name: `t${i}`, dtype: 'F16', shape: [rows, columns], file: `f${file}`, start, end };
        });
        entries.sort((a, b) => ((seed ^ a.start) % 7) - ((seed ^ b.start) % 7));
        const reads = planReads(entries, chunkBytes);
        const covered = new Map(entries.map((entry) => [entry.name, entry.start]));
        const reached = new Map<string, number>();
        const ok = (condition: boolean, what: string) => {
          if (!condition) throw new Error(what);
        };
        for (const { file, start, end, pieces } of reads) {
          ok(end - start <= chunkBytes, 'within the bound');
          ok(start >= (reached.get(file) ?? 0), 'forwards');
          reached.set(file, end);
          for (const { entry, start: from, end: to } of pieces) {
            ok(from === covered.get(entry.name), 'in order, once');
            covered.set(entry.name, to);
            ok(from >= start && to <= end && entry.file === file, 'inside its read');
            const rowBytes = entry.shape[1]! * 2;
            const unit = rowBytes <= chunkBytes && rowBytes > 0 ? rowBytes : DTYPE_BYTES.F16;
            ok((from - entry.start) % unit === 0, 'whole rows');
          }
        }
        for (const entry of entries) expect(covered.get(entry.name)).toBe(entry.end);
        // A file is opened once: its reads stand together.
        const files = reads.map(({ file }) => file).filter((file, i, all) => file !== all[i - 1]);
        expect(new Set(files).size).toBe(files.length);
      }),
      { numRuns: 2000 },
    );
  });

  it('joins neighbours', () => {
    const entries: TensorEntry[] = [0, 1, 2, 3].map((i) => ({
      name: `${i}`,
      dtype: 'U8',
      shape: [10],
      file: 'f',
      start: i * 10,
      end: i * 10 + 10,
    }));
    expect(planReads(entries, 20).map(({ start, end }) => [start, end])).toEqual([
      [0, 20],
      [20, 40],
    ]);
    expect(planReads(entries, 1000).length).toBe(1);
  });
});

describe('streamed tensors', () => {
  it.each([1000, 50_000, 4_000_000])('are the bytes of the file, chunks of %i', async (chunkBytes) => {
    const { folder, log } = await watchedFolder();
    const got = new Map<string, number[]>();
    const done = new Set<string>();
    const progress: StreamProgress[] = [];
    const options = { chunkBytes, onProgress: (event: StreamProgress) => void progress.push(event) };
    for await (const { entry, offset, bytes, last } of streamTensors(folder, folder.tensors.keys(), options)) {
      const sofar = got.get(entry.name) ?? [];
      expect(offset).toBe(sofar.length);
      for (const byte of bytes) sofar.push(byte);
      got.set(entry.name, sofar);
      if (last) done.add(entry.name);
    }
    expect(done.size).toBe(folder.tensors.size);
    for (const name of folder.tensors.keys()) {
      expect(Buffer.compare(Buffer.from(got.get(name)!), await readTensor(folder, name))).toBe(0);
    }
    expect(log.finished).toEqual(folder.shards.map(({ file }) => file));
    const loaded = progress.map((event) => event.loadedBytes);
    expect(loaded).toEqual([...loaded].sort((a, b) => a - b));
    expect(progress.at(-1)).toMatchObject({
      loadedBytes: folder.tensorBytes,
      totalBytes: folder.tensorBytes,
      etaSeconds: 0,
      fromStorage: false,
    });
  });

  it('are read in bounded parts, a chunk at most at a time, the next while this one is worked on', async () => {
    const { folder, log } = await watchedFolder();
    let ahead = 0;
    for await (const _ of streamTensors(folder, folder.tensors.keys(), { chunkBytes: 80_000 })) ahead = Math.max(ahead, log.open);
    expect(ahead).toBeGreaterThan(1);
    expect(log.most).toBe(4);
    expect(log.bytes).toBeLessThanOrEqual(20_000);
  });

  it('come in order though later reads are answered first', async () => {
    const { folder } = await watchedFolder();
    const { read } = folder.files;
    let turn = 0;
    const late: ModelFiles = {
      ...folder.files,
      async read(...span) {
        await new Promise((resolve) => setTimeout(resolve, 8 - 2 * (turn++ % 4)));
        return read(...span);
      },
    };
    const reached = new Map<string, number>();
    for await (const { entry, offset, bytes } of streamTensors({ ...folder, files: late }, ['embed'], { chunkBytes: 80_000 })) {
      expect(offset).toBe(reached.get(entry.name) ?? 0);
      const from = entry.start + offset;
      expect(Buffer.compare(bytes, await read(entry.file, from, from + bytes.length))).toBe(0);
      reached.set(entry.name, offset + bytes.length);
    }
    expect(reached.get('embed')).toBe(folder.tensors.get('embed')!.end - folder.tensors.get('embed')!.start);
  });

  it('of a source that streams come from three files side by side, all of each in order', async () => {
    const log = { open: 0, most: 0, begun: [] as string[] };
    const file = (index: number) => `f${index}`;
    const entries: TensorEntry[] = [0, 1, 2, 3, 4].flatMap((index) =>
      [0, 1, 2].map((part) => ({
        name: `${index}.${part}`,
        dtype: 'U8' as const,
        shape: [4],
        file: file(index),
        start: part * 4,
        end: part * 4 + 4,
      })),
    );
    const finished: string[] = [];
    const source = {
      ...blobs(),
      async *stream(path: string, spans: readonly { start: number; end: number }[]) {
        log.begun.push(path);
        log.most = Math.max(log.most, ++log.open);
        for (const { start, end } of spans) {
          await new Promise((resolve) => setTimeout(resolve, 1));
          yield Uint8Array.from({ length: end - start }, (_, i) => start + i);
        }
        log.open--;
      },
      finish: async (path: string) => void finished.push(path),
    };
    const { folder } = await watchedFolder();
    const several = { ...folder, files: source, tensors: new Map(entries.map((entry) => [entry.name, entry])) };
    const got = new Map<string, number[]>();
    for await (const { entry, bytes } of streamTensors(several, several.tensors.keys(), { chunkBytes: 16 })) {
      got.set(entry.file, [...(got.get(entry.file) ?? []), ...bytes]);
    }
    expect(log).toEqual({ open: 0, most: 3, begun: [0, 1, 2, 3, 4].map(file) });
    expect([...got.values()]).toEqual([0, 1, 2, 3, 4].map(() => Array.from({ length: 12 }, (_, i) => i)));
    expect(finished.sort()).toEqual([0, 1, 2, 3, 4].map(file));
  });

  it('can be a few, wherever they lie; unknown names are refused before reading', async () => {
    const { folder, log } = await watchedFolder();
    const names: string[] = [];
    for await (const { entry } of streamTensors(folder, ['layers.1.up', 'layers.0.up', 'layers.1.up'])) names.push(entry.name);
    expect(names).toEqual(['layers.1.up', 'layers.0.up']);
    const reads = log.signals.length;
    await expect(streamTensors(folder, ['embed', 'ghost']).next()).rejects.toMatchObject({ code: 'bad-model' });
    expect(log.signals.length).toBe(reads);
  });

  it('stop when the consumer leaves or cancels, with the read under way', async () => {
    const { folder, log } = await watchedFolder();
    for await (const _ of streamTensors(folder, ['embed'], { chunkBytes: 10_000 })) break;
    expect(log.signals.every((signal) => signal?.aborted)).toBe(true);

    const controller = new AbortController();
    const seen: string[] = [];
    const run = (async () => {
      for await (const { entry } of streamTensors(folder, folder.tensors.keys(), {
        chunkBytes: 10_000,
        signal: controller.signal,
      })) {
        seen.push(entry.name);
        controller.abort();
      }
    })();
    await expect(run).rejects.toMatchObject({ code: 'cancelled' });
    expect(seen.length).toBe(1);
  });
});

describe('rate and remaining time', () => {
  it('follow a steady download, a change of speed and a stall', () => {
    let rate = startRate(0);
    expect(etaSeconds(rate, 0, 1000)).toBeNull();
    let bytes = 0;
    const run = (seconds: number, perSecond: number, from: number) => {
      for (let t = 1; t <= seconds * 10; t++) rate = updateRate(rate, from + t * 100, (bytes += perSecond / 10));
    };
    run(5, 1e6, 0);
    expect(rate.bytesPerSecond).toBeCloseTo(1e6, 0);
    expect(etaSeconds(rate, bytes, bytes + 4e6)).toBeCloseTo(4, 3);
    run(9, 2e6, 5000);
    expect(rate.bytesPerSecond! / 2e6).toBeGreaterThan(0.95);
    run(60, 0, 14_000);
    expect(etaSeconds(rate, bytes, bytes + 1)).toBeNull();
    expect(etaSeconds(rate, 10, 10)).toBe(0);
  });

  it('do not depend on how often they are asked, nor jump on a burst', () => {
    const often = startRate(0);
    let rate = often;
    for (let t = 1; t <= 2000; t++) rate = updateRate(rate, t, t * 1000);
    expect(rate.bytesPerSecond).toBeCloseTo(1e6, 0);
    expect(updateRate(rate, rate.atMs + 1, rate.bytes + 1e9)).toBe(rate);
  });
});
