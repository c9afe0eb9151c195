/**
 * Input is handed over in small slices: a browser inflates a whole slice (up to 1032-fold) before anyone can stop it.
 */
const SLICE = 16 * 1024;

/**
 * Inflates a zlib stream piece by piece, lazily: memory stays at a few slices, and leaving the loop stops the work.
 * @param parts the stream in any number of pieces, none empty
 * @throws what the platform's DecompressionStream throws when the stream is damaged or ends early
 */
export async function* inflate(parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  let part = 0;
  let at = 0;
  const source = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      pull(controller) {
        const bytes = parts[part];
        if (!bytes) return controller.close();
        controller.enqueue(bytes.slice(at, at + SLICE));
        at += SLICE;
        if (at >= bytes.length) {
          part++;
          at = 0;
        }
      },
    },
    { highWaterMark: 0 },
  );
  const reader = source.pipeThrough(new DecompressionStream('deflate')).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {}); // it has already failed: the error is on its way to the caller
  }
}
