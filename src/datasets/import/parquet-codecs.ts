import type { CompressionCodec, Compressors, FileMetaData } from 'hyparquet';
import { NvlmError } from '../../errors.ts';
import { compileWasm } from '../../files/wasm-file.ts';

const BROTLI_FILE = 'brotli-dec-wasm/web/bg.wasm';

/**
 * What unpacks the pages of a file, loaded only if the file needs it. Every one of them stops at the length that the page
 * declares, so that a small file cannot fill memory.
 *
 * @throws NvlmError `network` when the page cannot load one
 */
export async function codecsOf({ row_groups: groups }: FileMetaData): Promise<Compressors> {
  const used = new Set(groups.flatMap(({ columns }) => columns.flatMap(({ meta_data: chunk }) => chunk?.codec ?? [])));
  // Snappy is the reader's own.
  const others = [...used].filter((codec) => codec !== 'UNCOMPRESSED' && codec !== 'SNAPPY');
  if (others.length === 0) return {};
  const { decompressGzip, decompressLz4, decompressLz4Raw, decompressZstd } = await import('hyparquet-compressors').catch(notLoaded);
  const codecs: { [codec in CompressionCodec]?: (packed: Uint8Array, length: number) => Uint8Array } = {
    GZIP: decompressGzip,
    LZ4: decompressLz4,
    LZ4_RAW: decompressLz4Raw,
    // Without the array it would believe the lengths in the frame.
    ZSTD: (packed, length) => decompressZstd(packed, new Uint8Array(length)),
  };
  if (used.has('BROTLI')) codecs.BROTLI = await brotli().catch(notLoaded);
  return codecs;
}

let started: Promise<typeof import('brotli-dec-wasm/web')> | null = null;

/** Google's decoder in Rust: the one of hyparquet-compressors grows its output as the data says. */
async function brotli(): Promise<(packed: Uint8Array, length: number) => Uint8Array> {
  started ??= start();
  started.catch(() => void (started = null)); // a failed download can be tried again
  const { BrotliDecStream } = await started;
  return (packed, length) => {
    const stream = new BrotliDecStream();
    try {
      return stream.dec(packed, length).buf;
    } finally {
      stream.free();
    }
  };
}

async function start(): Promise<typeof import('brotli-dec-wasm/web')> {
  const decoder = await import('brotli-dec-wasm/web');
  await decoder.default({ module_or_path: await compileWasm(BROTLI_FILE, () => new URL('brotli-dec-wasm/web/bg.wasm', import.meta.url)) });
  return decoder;
}

function notLoaded(cause: unknown): never {
  throw new NvlmError('network', 'What unpacks this parquet file could not be loaded.', 'Check the connection and try again.', { cause });
}
