import type { ExportedFile } from '../engine/runs/training-api.ts';
import { NvlmError } from '../errors.ts';
import { readZip } from '../files/read-zip.ts';
import { writeZip } from '../files/write-zip.ts';

const MOST_FILES = 60_000;

/** A ZIP to save. The members' bytes are not copied. @throws NvlmError `bad-data` beyond 4 GB, `cancelled` */
export async function zipped(files: readonly { path: string; bytes: Uint8Array | Blob }[], signal?: AbortSignal): Promise<Blob> {
  const parts: BlobPart[] = [];
  for await (const part of writeZip(files, signal)) parts.push(part as Uint8Array<ArrayBuffer> | Blob);
  return new Blob(parts, { type: 'application/zip' });
}

/**
 * The members of a chosen ZIP that are `wanted`.
 *
 * @param mostBytes of all members together
 * @throws NvlmError `bad-data`
 */
export async function unzipped(zip: File, mostBytes: number, wanted: (path: string) => boolean = () => true): Promise<ExportedFile[]> {
  const source = {
    path: zip.name,
    size: zip.size,
    slice: async (start: number, end: number) => new Uint8Array(await zip.slice(start, end).arrayBuffer()),
  };
  const files: ExportedFile[] = [];
  for (const { path, obstacle, read } of await readZip(source, { files: MOST_FILES, bytes: mostBytes })) {
    if (!wanted(path)) continue;
    if (obstacle) {
      const fix = 'Unpack it and choose the folder instead.';
      throw new NvlmError('bad-data', `“${zip.name}: ${path}” cannot be read: ${obstacle}.`, fix);
    }
    files.push({ path, bytes: await read() });
  }
  return files;
}
