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

/** Google's decoder in Rust: the one of hyparquet-compressors grows its output as the data says. */
async function brotli(): Promise<(packed: Uint8Array, length: number) => Uint8Array> {
  const { default: init, BrotliDecStream } = await import('brotli-dec-wasm/web');
  const code = await compileWasm(BROTLI_FILE, () => new URL('brotli-dec-wasm/web/bg.wasm', import.meta.url));
  await init({ module_or_path: code });
  return (packed, length) => {
    const stream = new BrotliDecStream();
    try {
      const result = stream.dec(packed, length);
      return result.buf;
    } finally {
      stream.free();
    }
  };
}

function notLoaded(cause: unknown): never {
  throw new NvlmError('network', 'What unpacks this parquet file could not be loaded.', 'Check the connection and try again.', { cause });
}
