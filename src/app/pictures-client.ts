import { PICTURES_METHODS, type Pictures } from '../../workers/pictures-api.ts';
import { createRemote } from '../bridge/remote.ts';
import { hostOf, type WorkerHost } from '../bridge/worker-host.ts';
import { NvlmError } from '../errors.ts';

export type { Pictures };

/** The worker starts with the first call, and anew with the first one after it died. */
export function createPicturesClient(spawn: () => WorkerHost = spawnPicturesWorker): Pictures {
  const { api } = createRemote<Pictures>({ methods: PICTURES_METHODS, spawn, lost: notDrawn });
  const kept = new Map<string, Promise<unknown>>();

  /** What never changes is asked for once; a failure is not kept. */
  function once<T>(key: string, ask: () => Promise<T>): Promise<T> {
    const known = kept.get(key) as Promise<T> | undefined;
    if (known) return known;
    const asked = ask();
    kept.set(key, asked);
    asked.catch(() => kept.delete(key));
    return asked;
  }

  return {
    ...api,
    examples: () => once('examples', () => api.examples()),
    exampleFile: (id) => once(`example ${id}`, () => api.exampleFile(id)),
  };
}

function notDrawn(why: string): NvlmError {
  return new NvlmError('internal', `The worker that draws pictures stopped. ${why}`.trim(), 'Try again, or reload the page.');
}

function spawnPicturesWorker(): WorkerHost {
  return hostOf(new Worker(new URL('../../workers/pictures.worker.ts', import.meta.url), { type: 'module', name: 'pictures' }));
}
