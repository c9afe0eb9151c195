import { NvlmError } from '../../errors.ts';
import { isFull, noRoom } from '../quota.ts';

/** What the model files are kept in between visits, best first. */
export type StoreKind = 'opfs' | 'cache' | 'memory';

export interface StoredBlob {
  size: number;
  /** What the writer said it is (a hash, an ETag or a date; '' where none is known). */
  version: string;
  /** What `commit` was given: the sums of the file's blocks, see `checkedBlob`. */
  sums: string;
  /** Exactly [start, end). Rejects when the stored bytes are gone or shorter than they were. */
  read(start: number, end: number): Promise<Uint8Array>;
  /**
   * For reading a large file from end to end, where the store has a quicker way for that; null where it has none now. To be closed:
   * until then the file may be `busy` for whoever deletes it or writes it anew.
   */
  open?(): Promise<OpenBlob | null>;
}

export interface OpenBlob {
  /** As {@link StoredBlob.read}, in the caller's memory. @returns a view of it */
  read(start: number, end: number, memory: ArrayBuffer): Promise<Uint8Array>;
  close(): void;
}

/**
 * Takes a file in order. Nothing of it can be read through the store before `commit`; after `commit`, `abort` or
 * `suspend` it is spent.
 */
export interface BlobWriter {
  /** Bytes at the file's beginning that are here already and are not to be appended again; 0 unless resumed. */
  readonly start: number;
  /** Exactly [start, end) of those bytes. Rejects when they are gone. */
  readKept(start: number, end: number): Promise<Uint8Array>;
  /** The bytes may be reused by the caller once this has resolved. @throws NvlmError `storage-full` */
  append(bytes: Uint8Array): Promise<void>;
  /**
   * @param sums kept with the file, for whoever reads it
   * @throws NvlmError `storage-full`, or `internal` when other than the announced number of bytes came
   */
  commit(sums?: string): Promise<void>;
  /** Forgets everything; never rejects. */
  abort(): Promise<void>;
  /** Lets go, and keeps what has come for a writer that resumes, where the store can; never rejects. */
  suspend(): Promise<void>;
}

export interface WriterOptions {
  /**
   * Go on with what was suspended, or left by a tab that died, if it was to be of the same size and version. Only with a
   * version that says what the bytes are. The Cache API keeps whole files only and always begins anew, as OPFS does
   * outside workers.
   */
  resume?: boolean;
}

export interface StoredUsage {
  path: string;
  bytes: number;
}

/**
 * Files in the browser's storage. Several tabs may use one store: a file has one writer at a time, readers see only
 * files that were written to the end, and a file whose length is not what was committed does not exist.
 */
export interface BlobStore {
  readonly kind: StoreKind;
  get(path: string): Promise<StoredBlob | null>;
  /**
   * Begins, or resumes, a file of exactly `size` bytes in place of what is there.
   * @throws NvlmError `storage-full` (not enough quota left), `busy` (another tab is writing this file)
   */
  writer(path: string, size: number, version: string, options?: WriterOptions): Promise<BlobWriter>;
  /**
   * Deletes the file of this name, or everything in the folder of this name; unfinished files too. @throws NvlmError
   * `busy`
   */
  delete(prefix: string): Promise<void>;
  /** All committed files, and what lies here of files that can be resumed. */
  usage(): Promise<StoredUsage[]>;
}

/** What a browser throws while writing, as an error a user can act on. */
export function storageError(cause: unknown): NvlmError {
  if (cause instanceof NvlmError) return cause;
  if (isFull(cause)) return noRoom('The browser has no room left to store the model.', cause);
  const { name, message } = cause instanceof Error ? cause : { name: '', message: String(cause) };
  if (name === 'NoModificationAllowedError') return storeBusy(cause);
  if (name === 'NotFoundError' || name === 'InvalidStateError') {
    return new NvlmError(
      'storage-lost',
      'The browser’s storage was cleared while the model was being stored.',
      'Load the model again to store it; it works without being stored.',
      { cause },
    );
  }
  return noRoom(`The browser could not store the model: ${message}.`, cause);
}

export function storeBusy(cause?: unknown): NvlmError {
  return new NvlmError('busy', 'Another tab is writing this model.', 'Wait until the other tab has loaded it.', {
    cause,
  });
}

export function wrongLength(path: string, size: number, got: number): NvlmError {
  return new NvlmError(
    'internal',
    `${got} bytes of ${path} were written, ${size} announced.`,
    'This is a bug in the playground: please report it.',
  );
}

/** True for the file `prefix` itself and for everything in the folder `prefix`. */
export function isUnder(path: string, prefix: string): boolean {
  return path === prefix || path.startsWith(`${prefix}/`);
}
