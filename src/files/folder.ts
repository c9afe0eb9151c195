/**
 * A folder that belongs to this program alone: one of a disk, of the browser's private storage, or in memory. Paths are
 * relative, parts divided by `/`, and never leave the folder.
 */
export interface Folder {
  /** null when there is no such file. */
  read(path: string): Promise<Uint8Array | null>;
  /** All or nothing: a reader never sees half a file. @throws NvlmError `storage-full` */
  write(path: string, bytes: Uint8Array): Promise<void>;
  append(path: string, text: string): Promise<void>;
  /** As `write`, for what is too large to hold. */
  writeParts(path: string, parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>;
  /** Every file below `path` (default: all), in the order of their names. */
  list(path?: string): Promise<{ path: string; bytes: number }[]>;
  /** Removes a file, or a folder with all that is in it; nothing happens when it is not there. */
  remove(path: string): Promise<void>;
}
