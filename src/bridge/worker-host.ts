import * as Comlink from 'comlink';
import type { AliveMessage, CallService } from './protocol.ts';

/** One started worker; the seam that tests replace. */
export interface WorkerHost {
  service: Comlink.Remote<CallService>;
  /** Resolves with what is known about the end of a worker that was not asked to end. */
  died: Promise<string>;
  terminate(): void;
}

/** A worker that called `expose`. */
export function hostOf(worker: Worker): WorkerHost {
  const service = Comlink.wrap<CallService>(worker);
  const died = new Promise<string>((resolve) => {
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      resolve(event.message ? `It said: ${event.message}` : 'Its script could not be loaded.');
    });
    worker.addEventListener('messageerror', () => resolve('A message from it could not be read.'));
    // Who gets the lock that the worker holds knows that it is gone.
    worker.addEventListener('message', ({ data }: MessageEvent<Partial<AliveMessage> | null>) => {
      if (typeof data?.aliveWhileLocked === 'string')
        void navigator.locks.request(data.aliveWhileLocked, () => resolve(''));
    });
  });
  return {
    service,
    died,
    terminate() {
      service[Comlink.releaseProxy]();
      worker.terminate();
    },
  };
}
