import { NvlmError, throwIfAborted } from '../../errors.ts';
import { createHasher } from '../../weights/hasher.ts';
import type { ModelFolder } from '../../weights/model-folder.ts';
import type { ModelSource } from '../api.ts';
import { modelTitle } from '../models/model-address.ts';

/** Read of every tensor. */
const SAMPLE_BYTES = 64;

/**
 * What tells models on a disk from each other, without reading them whole: configuration, tensors, and a few bytes in
 * the middle of each.
 */
export async function fingerprintModel({ files, config, tensors }: ModelFolder, signal?: AbortSignal): Promise<string> {
  const hasher = createHasher();
  const add = (value: unknown) => hasher.update(new TextEncoder().encode(JSON.stringify(value)));
  add(config);
  for (const { name, dtype, shape, file, start, end } of [...tensors.values()].sort(byName)) {
    throwIfAborted(signal);
    add([name, dtype, shape]);
    const middle = start + Math.floor((end - start) / 2);
    hasher.update(await files.read(file, middle, Math.min(end, middle + SAMPLE_BYTES), signal));
  }
  return hasher.digest();
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : 1;
}

/** A source as it is kept: handles of picked files do not outlive their page. */
export function keptSource(source: ModelSource): ModelSource {
  return source.kind === 'files' ? { ...source, files: [] } : source;
}

export function closedFolder(source: ModelSource): NvlmError {
  return new NvlmError(
    'not-found',
    `The model of this run, the folder ${modelTitle(source)}, is not open any more.`,
    'Choose the folder again; the run goes on from its checkpoint.',
  );
}

export function otherModel(source: ModelSource): NvlmError {
  if (source.kind === 'bundled')
    return new NvlmError(
      'usage',
      `${modelTitle(source)} has been replaced by a newer version since this run was begun.`,
      'Begin the run anew. What it has left so far can still be downloaded.',
    );
  return new NvlmError(
    'usage',
    `This is another model than ${modelTitle(source)}, which the run was begun with.`,
    'Choose the folder that it was begun with.',
  );
}
