import { NvlmError, throwIfAborted } from '../errors.ts';

/** The most that one {@link ModelFiles.read} may ask for, so that no source can be made to hold a whole shard. */
export const MAX_READ_BYTES = 32 * 1024 * 1024;

/** Bytes [start, end) of a file. */
export interface Span {
  start: number;
  end: number;
}

/**
 * A model's folder, wherever it lies: on a server, on disk, in a drop, in the browser's storage.
 *
 * Paths are relative with forward slashes and are refused (`bad-model`) when they could leave the folder. All calls
 * reject with the `cancelled` error when their signal fires. Implementations: `httpFiles`, `nodeFiles`, `blobFiles`;
 * wrappers: `checkedFiles` (sha256) and `storedFiles` (browser storage).
 */
export interface ModelFiles {
  /** Names the model in storage and messages, e.g. `bundled/nano-d`; a safe relative path itself. */
  readonly id: string;
  /** Paths of all files, for sources that can tell; the others leave it out. */
  list?(signal?: AbortSignal): Promise<string[]>;
  /** Bytes of a file, or null when there is no such file. */
  size(path: string, signal?: AbortSignal): Promise<number | null>;
  /**
   * Exactly the bytes [start, end); end − start ≤ {@link MAX_READ_BYTES}. The array is the caller's own.
   * Fastest when reads of one file go forwards: a server without Range support is then read in one pass.
   * @throws NvlmError `not-found`, `network`, `corrupt-file` (shorter than it said it was).
   */
  read(path: string, start: number, end: number, signal?: AbortSignal): Promise<Uint8Array>;
  /**
   * What tells this version of a file from every other one, where the source says (a strong ETag, else the date of its
   * last change); null where nothing does. Sources without such knowledge leave it out.
   */
  version?(path: string, signal?: AbortSignal): Promise<string | null>;
  /**
   * Spans of one file, each as {@link read} gives it, in ascending order and not overlapping: what lets a server send a whole file
   * in answer to one request. Each array is lent until the next is asked for. Sources for which that is no better leave it out, see
   * {@link streamSpans}.
   */
  stream?(path: string, spans: readonly Span[], signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined>;
  /** As {@link read}, at once and without a promise; where the source can, which is a disk. */
  readNow?(path: string, start: number, end: number): Uint8Array;
  /** A whole small file, or null when there is none. @throws NvlmError `bad-model` when it is longer than maxBytes. */
  readAll(path: string, maxBytes: number, signal?: AbortSignal): Promise<Uint8Array | null>;
  /**
   * The reader wants no more of this file: wrappers check its hash and commit it to storage here, servers are let go.
   */
  finish(path: string, signal?: AbortSignal): Promise<void>;
  /**
   * Lets go of everything that was begun and not finished: connections, half stored files and their locks. Never
   * rejects; the files can be read again afterwards. For whoever opened a model and leaves it before its weights have
   * been streamed.
   * @param cause why, when it is an error: what came of a file that turned out to be damaged is not kept for later
   */
  close(cause?: unknown): Promise<void>;
  /** True when the file's bytes come out of the browser's storage and not from where the model lives. */
  isStored(path: string): boolean;
}

export function checkSpan(path: string, start: number, end: number): void {
  const ok = Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && end >= start;
  if (!ok || end - start > MAX_READ_BYTES) {
    throw new NvlmError('internal', `Bad span ${start}–${end} of ${path}.`, 'This is a bug in the playground: please report it.');
  }
}

export function missingFile(path: string, where: string): NvlmError {
  return new NvlmError(
    'not-found',
    `${path} is missing in ${where}.`,
    'Check the address or folder: a model needs config.json and safetensors files.',
  );
}

export function fileTooLarge(path: string, maxBytes: number): NvlmError {
  return new NvlmError(
    'bad-model',
    `${path} is larger than ${Math.round(maxBytes / 2 ** 20)} MB, which no such file should be.`,
    'Get the model again from its source; this file is damaged or something else under its name.',
  );
}

export function shortFile(path: string, wanted: number, got: number): NvlmError {
  return new NvlmError(
    'corrupt-file',
    `${path} ends early: ${got} bytes where ${wanted} were expected.`,
    'Download the model again; the copy is incomplete.',
  );
}

/** Reads side by side of a source that does not stream: some have to seek, or to ask a disk. */
export const READS_AHEAD = 4;

/**
 * Gives memory that nobody reads any more back at once, where the platform can: left to the garbage collector, what a
 * model came in piles up to several times what is on its way.
 */
function release({ buffer }: Uint8Array): void {
  (buffer as ArrayBuffer & { transfer?(bytes: number): ArrayBuffer }).transfer?.(0);
}

/** {@link ModelFiles.stream} of any source; of one that has none by {@link READS_AHEAD} reads at a time. */
export function streamSpans(
  files: ModelFiles,
  path: string,
  spans: readonly Span[],
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  return files.stream ? files.stream(path, spans, signal) : readAhead(files, path, spans, signal);
}

/**
 * Spans of a file through two buffers that take turns: one is filled while the other is lent.
 * @param bring fills `memory` with span `index`
 * @param margin bytes that `memory` has beyond the longest span
 */
export async function* takeTurns(
  spans: readonly Span[],
  bring: (index: number, memory: ArrayBuffer) => Promise<Uint8Array>,
  margin = 0,
): AsyncGenerator<Uint8Array, void, undefined> {
  const memory = [0, 1].map(() => new ArrayBuffer(margin + Math.max(0, ...spans.map(({ start, end }) => end - start))));
  let next: Promise<Uint8Array> | null = null;
  for (let index = 0; index < spans.length; index++) {
    const bytes = await (next ?? bring(index, memory[index % 2]!));
    next = index + 1 < spans.length ? bring(index + 1, memory[(index + 1) % 2]!) : null;
    // It is awaited after this one has been used.
    next?.catch(() => undefined);
    yield bytes;
  }
}

/** {@link ModelFiles.stream} made of reads. */
export async function* readAhead(
  files: Pick<ModelFiles, 'read'>,
  path: string,
  spans: readonly Span[],
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const underWay: Promise<Uint8Array>[] = [];
  let next = 0;
  const fill = () => {
    for (; underWay.length < READS_AHEAD && next < spans.length; next++) {
      const part = files.read(path, spans[next]!.start, spans[next]!.end, signal);
      // It is awaited rounds later; until then a failure must not count as unhandled.
      part.catch(() => undefined);
      underWay.push(part);
    }
  };
  fill();
  for (let part = underWay.shift(); part; part = underWay.shift()) {
    const bytes = await part;
    fill();
    yield bytes;
    release(bytes);
  }
}

/** Reads a span of any length in bounded reads into one array that the caller has already decided to afford. */
export async function readSpan(files: ModelFiles, path: string, start: number, end: number, signal?: AbortSignal): Promise<Uint8Array> {
  if (end - start <= MAX_READ_BYTES) return files.read(path, start, end, signal);
  const whole = new Uint8Array(end - start);
  for (let at = start; at < end; at += MAX_READ_BYTES) {
    throwIfAborted(signal);
    whole.set(await files.read(path, at, Math.min(end, at + MAX_READ_BYTES), signal), at - start);
  }
  return whole;
}
