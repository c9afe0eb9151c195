import { NvlmError, throwIfAborted } from '../errors.ts';
import { DTYPE_BYTES } from './dtype.ts';
import type { ModelFolder } from './model-folder.ts';
import { etaSeconds, startRate, updateRate } from './progress.ts';
import type { TensorEntry } from './safetensors.ts';
import { MAX_READ_BYTES, readSpan } from './source.ts';

/**
 * What may be on its way at a time, and so what a tab that is closed has to fetch again of a file. Split over a few
 * requests: one alone does not fill a fast line, and many small ones cost a browser more than their bytes do.
 */
export const DEFAULT_CHUNK_BYTES = 16 * 1024 * 1024;
const REQUESTS = 4;
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
  /** Bound of what is read ahead of the consumer, in {@link REQUESTS} reads side by side. */
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

/**
 * Gives memory that nobody reads any more back at once, where the platform can: left to the garbage collector, what a
 * model came in piles up to several times what is on its way.
 */
function release({ buffer }: Uint8Array): void {
  (buffer as ArrayBuffer & { transfer?(bytes: number): ArrayBuffer }).transfer?.(0);
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
  const reads = planReads(entries, Math.ceil(Math.min(chunkBytes, MAX_READ_BYTES) / REQUESTS));
  const totalBytes = entries.reduce((sum, entry) => sum + entry.end - entry.start, 0);
  // Leaving the loop early must also end the read that is under way.
  const stop = new AbortController();
  const readSignal = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const underWay: Promise<Uint8Array>[] = [];
  /** Fills up what is under way with reads of the file that read `index` belongs to: files come one after the other. */
  const fetchAhead = (index: number): void => {
    for (let planned = reads[index + underWay.length]; underWay.length < REQUESTS; ) {
      if (!planned || planned.file !== reads[index]!.file) return;
      const part = files.read(planned.file, planned.start, planned.end, readSignal);
      // It is awaited rounds later; until then a failure must not count as unhandled.
      part.catch(() => undefined);
      underWay.push(part);
      planned = reads[index + underWay.length];
    }
  };

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
    for (const [index, planned] of reads.entries()) {
      fetchAhead(index);
      const chunk = await underWay.shift()!;
      throwIfAborted(signal);
      const fileEnds = reads[index + 1]?.file !== planned.file;
      if (fileEnds) await files.finish(planned.file, readSignal);
      if (reads[index + 1]) fetchAhead(index + 1);
      for (const { entry, start, end } of planned.pieces) {
        const bytes = chunk.subarray(start - planned.start, end - planned.start);
        yield { entry, offset: start - entry.start, bytes, last: end === entry.end };
        throwIfAborted(signal);
        loadedBytes += end - start;
      }
      release(chunk);
      report(planned.file);
    }
    complete = true;
  } finally {
    stop.abort();
    if (!complete) await files.close();
  }
}

/** One tensor whole, as raw bytes: for the few small ones that are wanted by themselves. */
export async function readTensor(folder: ModelFolder, name: string, signal?: AbortSignal): Promise<Uint8Array> {
  const [entry] = entriesOf(folder, [name]);
  return readSpan(folder.files, entry!.file, entry!.start, entry!.end, signal);
}
