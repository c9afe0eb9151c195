import { describe, expect, it, vi } from 'vitest';
import { PICTURES_METHODS } from '../../workers/pictures-api.ts';
import { serve } from '../bridge/serve.ts';
import type { WorkerHost } from '../bridge/worker-host.ts';
import { createPicturesClient, type Pictures } from './pictures-client.ts';

/** A worker whose answers and end are in the test's hands. */
function host(answers: object) {
  const service = serve(answers as Pictures, PICTURES_METHODS) as unknown as WorkerHost['service'];
  let end!: (why: string) => void;
  const died = new Promise<string>((resolve) => {
    end = resolve;
  });
  const terminate = vi.fn();
  return { started: { service, died, terminate }, end, terminate };
}

describe('createPicturesClient', () => {
  it('starts its worker with the first call and asks for what never changes once', async () => {
    const exampleFile = vi.fn(async (id: string) => new TextEncoder().encode(id));
    const spawn = vi.fn(() => host({ exampleFile }).started);
    const pictures = createPicturesClient(spawn);
    expect(spawn).not.toHaveBeenCalled();
    expect(await pictures.exampleFile('sign')).toBe(await pictures.exampleFile('sign'));
    await pictures.exampleFile('lunch');
    expect(spawn).toHaveBeenCalledTimes(1);
    expect(exampleFile.mock.calls).toEqual([['sign'], ['lunch']]);
  });

  it('fails what waits for a worker that dies, and asks a fresh one next time', async () => {
    const first = host({ examples: () => new Promise(() => undefined) });
    const second = host({ examples: async () => ['card'] });
    const hosts = [first, second];
    const pictures = createPicturesClient(() => hosts.shift()!.started);
    const waiting = pictures.examples();
    first.end('It said: out of memory');
    await expect(waiting).rejects.toMatchObject({
      message: 'The worker that draws pictures stopped. It said: out of memory',
      fix: 'Try again, or reload the page.',
    });
    expect(first.terminate).toHaveBeenCalledOnce();
    expect(await pictures.examples()).toEqual(['card']);
  });
});
