import { cancelled } from '../errors.ts';
import type { ModelFiles, Span } from './source.ts';
import { missingFile, streamSpans } from './source.ts';

/** Sees every byte of one file once and in order. */
export interface FileTap {
  write(bytes: Uint8Array): Promise<void>;
  /** The file is complete. May reject: then it must not be used. */
  close(): Promise<void>;
  /** Reading failed (`cause`) or was left; may be called twice; never rejects. */
  abort(cause?: unknown): Promise<void>;
}

export interface Tapping {
  /** Whether this file is tapped at all. */
  wants(path: string): boolean;
  open(path: string, size: number): Promise<FileTap>;
}

interface Tapped {
  /** Bytes [0, planned) have been given to the tap or are on their way in `turns`. */
  planned: number;
  tap: Promise<FileTap>;
  size: Promise<number>;
  /** Settles when everything planned so far has reached the tap. */
  turns: Promise<void>;
}

/** Spans and what lies between them, from `from` on, in parts that a read can bring. */
function withGaps(from: number, spans: readonly Span[]): { all: Span[]; wanted: Set<Span> } {
  const all: Span[] = [];
  let at = from;
  for (const span of spans) {
    for (; at < span.start; at = all.at(-1)!.end) all.push({ start: at, end: Math.min(span.start, at + GAP_READ_BYTES) });
    all.push(span);
    at = Math.max(at, span.end);
  }
  return { all, wanted: new Set(spans) };
}

/** What is read along because the reader skipped it. */
const GAP_READ_BYTES = 4 * 1024 * 1024;

/**
 * Passes reads through, and lets a tap (storage, a checksum) see each file once, from its first byte to its last, whatever the order in
 * which the reader asks. A file of 100 bytes:
 *
 *     reader asks for   [0, 10)   [40, 60)                 [50, 70)   finish
 *     fetched           [0, 10)   [10, 40)  [40, 60)       [50, 70)   [70, 100)
 *     tap is shown      [0, 10)   [10, 40)  [40, 60)       [60, 70)   [70, 100), then closed
 *
 * A failed read aborts the tap; the next read begins the file anew. After {@link ModelFiles.finish} has closed the tap, reads pass
 * through.
 */
export function tapFiles(inner: ModelFiles, tapping: Tapping): ModelFiles {
  const open = new Map<string, Tapped>();
  const closed = new Set<string>();
  /** Taps that are being aborted. */
  const leaving = new Set<Promise<void>>();

  function tappedOf(path: string, signal?: AbortSignal): Tapped {
    let file = open.get(path);
    if (!file) {
      const size = inner.size(path, signal).then((bytes) => {
        if (bytes === null) throw missingFile(path, inner.id);
        return bytes;
      });
      const tap = size.then((bytes) => tapping.open(path, bytes));
      file = { planned: 0, tap, size, turns: tap.then(() => undefined) };
      const begun = file;
      begun.turns.catch((error: unknown) => discard(path, begun, error));
      open.set(path, begun);
    }
    return file;
  }

  function discard(path: string, file: Tapped, cause?: unknown): Promise<void> {
    if (open.get(path) === file) open.delete(path);
    const left = file.tap.then(
      (tap) => tap.abort(cause),
      () => undefined,
    );
    leaving.add(left);
    return left.finally(() => leaving.delete(left));
  }

  /**
   * Plans the bytes up to `end` and reads [start, end) for the caller. Planning is synchronous, so calls keep their
   * order.
   */
  function advance(path: string, file: Tapped, start: number, end: number, signal?: AbortSignal): Promise<Uint8Array> {
    const from = file.planned;
    file.planned = end;
    // With nothing skipped the read need not wait for those before it; only the tap does.
    const early = start <= from && end > start ? inner.read(path, start, end, signal) : null;
    early?.catch(() => undefined);
    const { turns } = file;
    const mine = (async () => {
      await turns;
      const tap = await file.tap;
      for (let at = from; at < start; at += GAP_READ_BYTES) {
        await tap.write(await inner.read(path, at, Math.min(start, at + GAP_READ_BYTES), signal));
      }
      if (start === end) return new Uint8Array(0);
      const bytes = await (early ?? inner.read(path, start, end, signal));
      await tap.write(start < from ? bytes.subarray(from - start) : bytes);
      return bytes;
    })();
    file.turns = mine.then(() => undefined);
    file.turns.catch((error: unknown) => discard(path, file, error));
    return mine;
  }

  /** As {@link advance} for all spans: one stream, of what lies between them too, which the tap alone sees. */
  async function* advanceThrough(
    path: string,
    file: Tapped,
    spans: readonly Span[],
    signal?: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { turns, planned: from } = file;
    file.planned = spans.at(-1)!.end;
    let settle = (_error?: unknown): void => undefined;
    file.turns = new Promise((resolve, reject) => {
      settle = (error) => (error === undefined ? resolve() : reject(error as Error));
    });
    file.turns.catch(() => undefined);
    let error: unknown = cancelled();
    let complete = false;
    try {
      await turns;
      const tap = await file.tap;
      const { all, wanted } = withGaps(from, spans);
      let index = 0;
      for await (const bytes of streamSpans(inner, path, all, signal)) {
        const span = all[index++]!;
        const fresh = span.start < from ? bytes.subarray(Math.min(bytes.length, from - span.start)) : bytes;
        // The reader goes first, but for the last of a file: that must have been found right before it is given out.
        const isLast = index === all.length;
        if (isLast) {
          await tap.write(fresh);
          complete = true;
          settle();
        }
        if (wanted.has(span)) yield bytes;
        if (!isLast) await tap.write(fresh);
      }
    } catch (cause) {
      error = cause;
      throw cause;
    } finally {
      if (!complete) {
        settle(error);
        await discard(path, file, error);
      }
    }
  }

  return {
    id: inner.id,
    size: inner.size,
    isStored: inner.isStored,

    async *stream(path, spans, signal) {
      if (spans.length === 0) return;
      if (closed.has(path) || !tapping.wants(path)) return yield* streamSpans(inner, path, spans, signal);
      const file = tappedOf(path, signal);
      if (spans.at(-1)!.end <= file.planned) return yield* streamSpans(inner, path, spans, signal);
      yield* advanceThrough(path, file, spans, signal);
    },

    async close() {
      for (const [path, file] of open) void discard(path, file);
      await Promise.all(leaving);
      await inner.close();
    },

    async read(path, start, end, signal) {
      if (closed.has(path) || !tapping.wants(path)) return inner.read(path, start, end, signal);
      const file = tappedOf(path, signal);
      return end <= file.planned ? inner.read(path, start, end, signal) : advance(path, file, start, end, signal);
    },

    async readAll(path, maxBytes, signal) {
      const bytes = await inner.readAll(path, maxBytes, signal);
      if (bytes === null || !tapping.wants(path)) return bytes;
      const tap = await tapping.open(path, bytes.length);
      try {
        await tap.write(bytes);
        await inner.finish(path, signal);
        await tap.close();
      } catch (error) {
        await tap.abort(error);
        throw error;
      }
      return bytes;
    },

    async finish(path, signal) {
      const file = open.get(path);
      if (!file) return inner.finish(path, signal);
      try {
        const size = await file.size;
        if (file.planned < size) await advance(path, file, size, size, signal);
        await file.turns;
        await inner.finish(path, signal);
        await (await file.tap).close();
        open.delete(path);
        closed.add(path);
      } catch (error) {
        await discard(path, file, error);
        throw error;
      }
    },
  };
}
