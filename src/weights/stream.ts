import { NvlmError, throwIfAborted } from '../errors.ts';
import { DTYPE_BYTES } from './dtype.ts';
import type { ModelFolder } from './model-folder.ts';
import { etaSeconds, startRate, updateRate } from './progress.ts';
import type { TensorEntry } from './safetensors.ts';
import type { ModelFiles } from './source.ts';
import { MAX_READ_BYTES, READS_AHEAD, readSpan, streamSpans } from './source.ts';

/** What may be on its way at a time, and so what a tab that is closed has to fetch again of a file. */
export const DEFAULT_CHUNK_BYTES = 16 * 1024 * 1024;
/** Of a file that is streamed: still in the processor's nearer caches when it is converted and when it is written. */
const STREAMED_BYTES = 512 * 1024;
/** Files that a source streams side by side: one connection alone does not fill every line. */
const FILES_AT_ONCE = 3;
/** Bytes between two tensors that are cheaper to read along than to skip. */
const WORTHLESS_GAP = 64 * 1024;

/** A tensor, or whole rows (first dimension) of one that is larger than a chunk. */
export interface TensorPiece {
  entry: TensorEntry;
  /** Where `bytes` begins inside the tensor, in bytes; 0 for a tensor in one piece. */
  offset: number;
  /**
   * A view into the chunk, little-endian, possibly unaligned, valid until the next piece is asked for: copy what must
   * stay.
   */
  bytes: Uint8Array;
  /** This piece completes the tensor. */
  last: boolean;
}

/** The weights part of the engine's LoadProgress. */
export interface StreamProgress {
  loadedBytes: number;
  totalBytes: number;
  bytesPerSecond: number;
  etaSeconds: number | null;
  fromStorage: boolean;
}

export interface StreamOptions {
  signal?: AbortSignal;
  onProgress?: (progress: StreamProgress) => void;
  /** Bound of what is read ahead of the consumer, in {@link READS_AHEAD} parts. */
  chunkBytes?: number;
}

interface PlannedPiece {
  entry: TensorEntry;
  /** Span in the file. */
  start: number;
  end: number;
}

export interface PlannedRead {
  file: string;
  start: number;
  end: number;
  pieces: PlannedPiece[];
}

function* piecesOf(entry: TensorEntry, chunkBytes: number): Generator<PlannedPiece> {
  const bytes = entry.end - entry.start;
  if (bytes <= chunkBytes) {
    yield { entry, start: entry.start, end: entry.end };
    return;
  }
  const rowBytes = bytes / (entry.shape[0] ?? 1);
  const unit = rowBytes <= chunkBytes ? rowBytes : DTYPE_BYTES[entry.dtype];
  const step = Math.max(1, Math.floor(chunkBytes / unit)) * unit;
  for (let start = entry.start; start < entry.end; start += step) {
    yield { entry, start, end: Math.min(entry.end, start + step) };
  }
}

/**
 * One forward pass through each file: reads of at most `chunkBytes` (a single element aside), neighbours together,
 * files in the order in which the given entries first want them.
 */
export function planReads(entries: readonly TensorEntry[], chunkBytes: number): PlannedRead[] {
  const byFile = new Map<string, TensorEntry[]>();
  for (const entry of entries) {
    const list = byFile.get(entry.file);
    if (list) list.push(entry);
    else byFile.set(entry.file, [entry]);
  }
  const reads: PlannedRead[] = [];
  for (const [file, list] of byFile) {
    let current: PlannedRead | null = null;
    for (const entry of list.sort((a, b) => a.start - b.start || a.end - b.end)) {
      for (const piece of piecesOf(entry, chunkBytes)) {
        const joins: boolean = current !== null && piece.start - current.end <= WORTHLESS_GAP && piece.end - current.start <= chunkBytes;
        if (current && joins) {
          current.end = piece.end;
          current.pieces.push(piece);
        } else {
          current = { file, start: piece.start, end: piece.end, pieces: [piece] };
          reads.push(current);
        }
      }
    }
  }
  return reads;
}

function entriesOf(folder: ModelFolder, names: Iterable<string>): TensorEntry[] {
  return [...new Set(names)].map((name) => {
    const entry = folder.tensors.get(name);
    if (entry) return entry;
    throw new NvlmError(
      'bad-model',
      `The model ${folder.files.id} has no tensor "${name}".`,
      'Use a checkpoint whose config.json and weights belong together.',
    );
  });
}

/**
 * The named tensors, each exactly once, piece by piece; the next few are fetched while the consumer works on this one.
 *
 * They come in file order, not in the order of `names` (which decides the order of the files): one pass through a file
 * is what servers without Range, hashing and storing while streaming need. Where the order matters (layer by layer),
 * call this once for each group.
 *
 * Before the last piece of a file is handed out the file is finished: its hash is checked and it is committed to
 * storage. A corrupt file is noticed there, after most of its tensors; count the model as loaded only when the
 * iteration has ended.
 * @throws NvlmError `bad-model` (unknown name), `network`, `corrupt-file`, `cancelled`
 */
export async function* streamTensors(
  folder: ModelFolder,
  names: Iterable<string>,
  { signal, onProgress, chunkBytes = DEFAULT_CHUNK_BYTES }: StreamOptions = {},
): AsyncGenerator<TensorPiece, void, undefined> {
  const { files } = folder;
  const entries = entriesOf(folder, names);
  const readBytes = Math.ceil(Math.min(chunkBytes, MAX_READ_BYTES) / READS_AHEAD);
  const reads = planReads(entries, files.stream ? Math.min(readBytes, STREAMED_BYTES) : readBytes);
  const totalBytes = entries.reduce((sum, entry) => sum + entry.end - entry.start, 0);
  // Leaving the loop early must also end the reads that are under way.
  const stop = new AbortController();
  const readSignal = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;

  let loadedBytes = 0;
  let rate = startRate(performance.now());
  const report = (file: string) => {
    rate = updateRate(rate, performance.now(), loadedBytes);
    onProgress?.({
      loadedBytes,
      totalBytes,
      bytesPerSecond: rate.bytesPerSecond ?? 0,
      etaSeconds: etaSeconds(rate, loadedBytes, totalBytes),
      fromStorage: files.isStored(file),
    });
  };

  let complete = false;
  try {
    throwIfAborted(signal);
    const streams = [...readsByFile(reads)].map(([file, list]) => streamFile(files, file, list, readSignal));
    for await (const { planned, chunk } of sideBySide(streams, files.stream ? FILES_AT_ONCE : 1)) {
      throwIfAborted(signal);
      for (const { entry, start, end } of planned.pieces) {
        const bytes = chunk.subarray(start - planned.start, end - planned.start);
        yield { entry, offset: start - entry.start, bytes, last: end === entry.end };
        throwIfAborted(signal);
        loadedBytes += end - start;
      }
      report(planned.file);
    }
    complete = true;
  } finally {
    stop.abort();
    if (!complete) await files.close();
  }
}

interface Chunk {
  planned: PlannedRead;
  /** Lent until the next chunk of its file is asked for. */
  chunk: Uint8Array;
}

function readsByFile(reads: readonly PlannedRead[]): Map<string, PlannedRead[]> {
  const byFile = new Map<string, PlannedRead[]>();
  for (const read of reads) {
    const list = byFile.get(read.file);
    if (list) list.push(read);
    else byFile.set(read.file, [read]);
  }
  return byFile;
}

/** What was planned of one file, which is finished before the last of it is given out. */
async function* streamFile(files: ModelFiles, file: string, reads: readonly PlannedRead[], signal: AbortSignal): AsyncGenerator<Chunk> {
  let index = 0;
  for await (const chunk of streamSpans(files, file, reads, signal)) {
    const planned = reads[index++]!;
    if (index === reads.length) await files.finish(file, signal);
    yield { planned, chunk };
  }
}

/** The items of `most` streams at a time, as they come; streams are begun in their order. */
async function* sideBySide<T>(streams: readonly AsyncGenerator<T>[], most: number): AsyncGenerator<T> {
  type Turn = { stream: AsyncGenerator<T>; result: IteratorResult<T> };
  const open = new Map<AsyncGenerator<T>, Promise<Turn>>();
  const ask = (stream: AsyncGenerator<T>) => {
    const turn = stream.next().then((result) => ({ stream, result }));
    // Another stream may fail first.
    turn.catch(() => undefined);
    open.set(stream, turn);
  };
  let begun = Math.min(most, streams.length);
  for (const stream of streams.slice(0, begun)) ask(stream);
  try {
    while (open.size > 0) {
      const { stream, result } = await Promise.race(open.values());
      // Behind the others, so that each gets its turn.
      open.delete(stream);
      if (!result.done) {
        yield result.value;
        ask(stream);
      } else if (begun < streams.length) ask(streams[begun++]!);
    }
  } finally {
    // One that is waiting for bytes ends with its signal.
    for (const stream of streams.slice(0, begun)) stream.return(undefined).catch(() => undefined);
  }
}

/** One tensor whole, as raw bytes: for the few small ones that are wanted by themselves. */
export async function readTensor(folder: ModelFolder, name: string, signal?: AbortSignal): Promise<Uint8Array> {
  const [entry] = entriesOf(folder, [name]);
  return readSpan(folder.files, entry!.file, entry!.start, entry!.end, signal);
}
