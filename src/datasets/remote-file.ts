import { NvlmError } from '../errors.ts';
import type { SourceFile } from './import/source-file.ts';
import { extensionOf } from './import/source-file.ts';
import { MOST_BYTES, tooLarge } from './limits.ts';

const KINDS = new Set(['parquet', 'json', 'jsonl', 'csv', 'tsv', 'zip']);

/**
 * A data file by its address, read in ranges. A hub's page of a file (`/blob/`) stands for the file.
 *
 * @throws NvlmError `usage` for what is no such address, `network`, `not-found`, `bad-data` when it is too large
 */
export async function remoteFile(
  address: string,
  {
    signal,
    onBytes,
    fetch = globalThis.fetch,
  }: {
    signal?: AbortSignal;
    /** Bytes that have come so far. */
    onBytes?: (bytes: number, total: number) => void;
    fetch?: typeof globalThis.fetch;
  } = {},
): Promise<SourceFile> {
  const url = fileAddress(address);
  const path = decodeURIComponent(url.pathname.slice(url.pathname.lastIndexOf('/') + 1));
  const first = await ask(url, 0, 1, fetch, signal);
  const size = Number(/\/(\d+)$/.exec(first.headers.get('content-range') ?? '')?.[1]);
  await first.body?.cancel();
  if (first.status !== 206 || !Number.isSafeInteger(size)) throw noRanges(url);
  if (size > MOST_BYTES) throw tooLarge(`The file has ${(size / 2 ** 30).toFixed(1)} GiB`, `${MOST_BYTES / 2 ** 30} GiB`);
  let come = 0;
  return {
    path,
    size,
    async slice(start, end) {
      if (end <= start) return new Uint8Array(0);
      const response = await ask(url, start, Math.min(end, size), fetch, signal);
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (response.status !== 206 || bytes.length !== Math.min(end, size) - start) throw noRanges(url);
      come += bytes.length;
      onBytes?.(come, size);
      return bytes;
    },
  };
}

function fileAddress(address: string): URL {
  const url = URL.canParse(address.trim()) ? new URL(address.trim()) : null;
  if (!url || url.protocol !== 'https:' || !KINDS.has(extensionOf(url.pathname))) {
    throw new NvlmError(
      'usage',
      'This is not the address of a data file.',
      'Give the https address of a parquet, JSON, JSONL, CSV or zip file, e.g. …/resolve/main/data/train.parquet.',
    );
  }
  if (url.hostname === 'huggingface.co') url.pathname = url.pathname.replace('/blob/', '/resolve/');
  return url;
}

async function ask(url: URL, start: number, end: number, fetch: typeof globalThis.fetch, signal?: AbortSignal): Promise<Response> {
  const response = await fetch(url, { headers: { range: `bytes=${start}-${end - 1}` }, signal }).catch((cause: unknown) => {
    if (signal?.aborted) throw cause;
    throw new NvlmError('network', `${url.host} cannot be reached.`, 'Check the address and the connection.', {
      cause,
    });
  });
  if (response.ok) return response;
  await response.body?.cancel();
  const gone = response.status === 404;
  throw new NvlmError(
    gone ? 'not-found' : 'network',
    gone ? `There is no such file at ${url.host}.` : `${url.host} answered ${response.status}.`,
    gone ? 'Check the address.' : 'Only files that are open to everybody can be read; try again later.',
  );
}

function noRanges({ host }: URL): NvlmError {
  return new NvlmError('network', `${host} does not give parts of files.`, 'Download the file and drop it here.');
}
