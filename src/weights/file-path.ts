import { NvlmError } from '../errors.ts';

/** Not ending in a point or a space either: besides `.` and `..` those are what Windows leaves off. */
const SEGMENT = /^[\p{L}\p{N} ._+=@,()[\]-]{0,199}[\p{L}\p{N}_+=@,()[\]-]$/u;

/**
 * A model's file names come from indexes and manifests that anybody can write, so they are held to plain relative
 * paths: no `..`, no absolute path, no backslash, colon, percent sign or control character. Returns the path unchanged.
 * @throws NvlmError `bad-model` for any other name.
 */
export function checkFilePath(path: unknown): string {
  const ok = typeof path === 'string' && path.length <= 1024 && path.split('/').every((segment) => SEGMENT.test(segment));
  if (!ok) {
    const shown = JSON.stringify(path)?.slice(0, 80) ?? String(path);
    throw new NvlmError(
      'bad-model',
      `The model names a file outside its folder or with forbidden characters: ${shown}.`,
      'Get the model from a source you trust; its index or manifest has been damaged or tampered with.',
    );
  }
  return path;
}
