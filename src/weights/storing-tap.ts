import { NvlmError } from '../errors.ts';
import type { BlockSums } from '../files/blobs/block-sums.ts';
import type { BlobWriter } from '../files/blobs/store.ts';
import type { FileTap } from './tapped-files.ts';

/** The bytes themselves are no good: none of them may be gone on with. */
export function isSpoiled(error: unknown): boolean {
  return error instanceof NvlmError && (error.code === 'corrupt-file' || error.code === 'bad-model');
}

/**
 * Stores a file while it is read, and gives up quietly: the model is loaded all the same.
 * @param writer null when the file cannot be stored
 */
export function storingTap(writer: BlobWriter | null, sums: BlockSums, warn: (error: unknown) => void): FileTap {
  /** Position in the file; what the writer holds from an earlier visit is not given to it again. */
  let at = 0;
  const attempt = async (step: (writer: BlobWriter) => Promise<unknown>): Promise<void> => {
    if (!writer) return;
    try {
      await step(writer);
    } catch (error) {
      warn(error);
      await writer?.abort();
      writer = null;
    }
  };
  const end = async (step: (writer: BlobWriter) => Promise<void>): Promise<void> => {
    const open = writer;
    writer = null;
    if (open) await step(open);
  };
  return {
    write: (bytes) =>
      attempt(async (open) => {
        const fresh = bytes.subarray(Math.max(0, Math.min(bytes.length, open.start - at)));
        at += bytes.length;
        await Promise.all([sums.add(bytes), fresh.length > 0 && open.append(fresh)]);
      }),
    close: () => attempt(async (open) => open.commit(await sums.end())),
    // A broken connection or a closed tab leaves a good beginning; of a file that is not what it should be nothing is.
    abort: (cause) => end((open) => (isSpoiled(cause) ? open.abort() : open.suspend())),
  };
}
