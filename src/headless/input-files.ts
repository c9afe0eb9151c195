import { readFile, stat } from 'node:fs/promises';
import { NvlmError } from '../errors.ts';
import { MAX_FILE_BYTES } from '../tiling/image-limits.ts';
import { pictureNotice } from '../tiling/picture-notice.ts';
import type { Context } from './command.ts';
import { formatBytes } from './format.ts';

/** A file named by the user. @throws NvlmError `not-found`; `usage` when it is longer than it may be */
export async function readInput(path: string, mostBytes: number): Promise<Uint8Array> {
  const found = await stat(path).catch(() => null);
  if (!found) throw new NvlmError('not-found', `There is no file "${path}".`, 'Check the path; it is taken from the current folder.');
  if (found.isDirectory()) throw new NvlmError('usage', `"${path}" is a folder.`, 'Name a file in it.');
  if (found.size > mostBytes) {
    throw new NvlmError('usage', `"${path}" has ${formatBytes(found.size)}.`, `Give a file of at most ${formatBytes(mostBytes)}.`);
  }
  try {
    const bytes = await readFile(path);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  } catch (cause) {
    throw new NvlmError('not-found', `"${path}" cannot be read: ${(cause as Error).message}.`, 'Check its permissions.', { cause });
  }
}

export async function readImageFile(path: string): Promise<Uint8Array> {
  const found = await stat(path).catch(() => null);
  if (found?.isFile() && found.size > MAX_FILE_BYTES) {
    const most = `${MAX_FILE_BYTES / 2 ** 20} MiB`;
    throw new NvlmError('image-too-large', `"${path}" has ${formatBytes(found.size)}.`, `Save it smaller: at most ${most}.`);
  }
  return readInput(path, MAX_FILE_BYTES);
}

/** Says what of a picture a model sees otherwise than people do. */
export function cautionOfPicture(path: string, bytes: Uint8Array, { caution }: Pick<Context, 'caution'>): void {
  const notice = pictureNotice(bytes);
  if (notice) caution([`${path}: ${notice}.`]);
}
