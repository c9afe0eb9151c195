import { NvlmError } from '../errors.ts';
import { checkFilePath } from './file-path.ts';
import type { ModelFiles } from './source.ts';
import { missingFile } from './source.ts';
import { parseStrictJson } from './strict-json.ts';

/** Lists a bundled model's files, so that a changed or damaged one is noticed and absent ones need not be asked for. */
export const MANIFEST_FILE = 'manifest.json';
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

export interface ManifestEntry {
  path: string;
  size: number;
  /** Lower-case hex: sha256 of the content (64 digits), or what git calls it as a blob (40 digits). */
  hash: string;
}

/** By path. */
export type Manifest = ReadonlyMap<string, ManifestEntry>;

const HASH_KEYS = { sha256: /^[0-9a-f]{64}$/, gitBlob: /^[0-9a-f]{40}$/ };

function broken(id: string): never {
  throw new NvlmError(
    'bad-model',
    `${MANIFEST_FILE} of ${id} is not a list of files.`,
    'Get the model again from its source; this copy is damaged.',
  );
}

/**
 * Reads `[{path, size, sha256 | gitBlob}]`.
 * @throws NvlmError `bad-model`
 */
export function parseManifest(bytes: Uint8Array, id: string): Manifest {
  const list = parseStrictJson(new TextDecoder().decode(bytes), `${MANIFEST_FILE} of ${id}`);
  if (!Array.isArray(list)) return broken(id);
  const manifest = new Map<string, ManifestEntry>();
  for (const item of list) {
    const { path, size, ...hashes } = (item ?? {}) as Record<string, unknown>;
    const hash = Object.entries(HASH_KEYS).find(([key, form]) => form.test(String(hashes[key])))?.[0];
    const sound = Number.isSafeInteger(size) && (size as number) >= 0 && hash !== undefined;
    if (!sound || manifest.has(checkFilePath(path))) return broken(id);
    manifest.set(path as string, { path: path as string, size: size as number, hash: hashes[hash] as string });
  }
  return manifest;
}

/** What {@link parseManifest} reads. */
export function formatManifest(manifest: Manifest): Uint8Array {
  const list = [...manifest.values()].map(({ path, size, hash }) => ({
    path,
    size,
    [hash.length === 64 ? 'sha256' : 'gitBlob']: hash,
  }));
  return new TextEncoder().encode(`${JSON.stringify(list, null, 1)}\n`);
}

/** The manifest that lies beside the model's files. @throws NvlmError `not-found`, `bad-model`, `network` */
export async function readManifest(files: ModelFiles, signal?: AbortSignal): Promise<Manifest> {
  const bytes = await files.readAll(MANIFEST_FILE, MAX_MANIFEST_BYTES, signal);
  if (bytes === null) throw missingFile(MANIFEST_FILE, files.id);
  return parseManifest(bytes, files.id);
}
