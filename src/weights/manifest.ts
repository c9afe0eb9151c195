import { NvlmError } from '../errors.ts';
import { checkFilePath } from './file-path.ts';
import type { ModelFiles } from './source.ts';
import { missingFile } from './source.ts';
import { parseStrictJson } from './strict-json.ts';

/** Lists a bundled model's files, so that a changed or damaged one is noticed and absent ones need not be asked for. */
export const MANIFEST_FILE = 'manifest.json';
const MAX_MANIFEST_BYTES = 1024 * 1024;

export interface ManifestEntry {
  path: string;
  size: number;
  /** Lower-case hex. */
  sha256: string;
}

/** By path. */
export type Manifest = ReadonlyMap<string, ManifestEntry>;

function broken(id: string): never {
  throw new NvlmError(
    'bad-model',
    `${MANIFEST_FILE} of ${id} is not a list of files.`,
    'Get the model again from its source; this copy is damaged.',
  );
}

/** @throws NvlmError `bad-model` */
export function parseManifest(bytes: Uint8Array, id: string): Manifest {
  const list = parseStrictJson(new TextDecoder().decode(bytes), `${MANIFEST_FILE} of ${id}`);
  if (!Array.isArray(list)) return broken(id);
  const manifest = new Map<string, ManifestEntry>();
  for (const item of list) {
    const { path, size, sha256 } = (item ?? {}) as Partial<ManifestEntry>;
    const sound =
      Number.isSafeInteger(size) && size! >= 0 && typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256);
    if (!sound || manifest.has(checkFilePath(path))) return broken(id);
    manifest.set(path!, { path: path!, size: size!, sha256: sha256! });
  }
  return manifest;
}

/**
 * @param keep gets the bytes of a manifest that has been found sound
 * @throws NvlmError `not-found`, `bad-model`, `network`
 */
export async function readManifest(
  files: ModelFiles,
  signal?: AbortSignal,
  keep?: (bytes: Uint8Array) => Promise<void>,
): Promise<Manifest> {
  const bytes = await files.readAll(MANIFEST_FILE, MAX_MANIFEST_BYTES, signal);
  if (bytes === null) throw missingFile(MANIFEST_FILE, files.id);
  const manifest = parseManifest(bytes, files.id);
  await keep?.(bytes);
  return manifest;
}
