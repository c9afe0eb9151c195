import * as Comlink from 'comlink';
import type { AliveMessage, CallService, DeafMessage } from './protocol.ts';

/** One started worker; the seam that tests replace. */
export interface WorkerHost {
  service: Comlink.Remote<CallService>;
  /** Resolves with what is known about the end of a worker that was not asked to end. */
  died: Promise<string>;
  terminate(): void;
}

/**
 * A worker that calls `expose`.
 *
 * @param port the end of the channel that it was given, if it was
 */
export function hostOf(worker: Worker, port?: MessagePort): WorkerHost {
  const service = Comlink.wrap<CallService>(port ?? worker);
  const died = new Promise<string>((resolve) => {
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      resolve(event.message ? `It said: ${event.message}` : 'Its script could not be loaded.');
    });
    worker.addEventListener('messageerror', () => resolve('A message from it could not be read.'));
    // Who gets the lock that the worker holds knows that it is gone.
    const watch = watchDeafness(resolve);
    worker.addEventListener('message', ({ data }: MessageEvent<Partial<AliveMessage & DeafMessage> | null>) => {
      if (typeof data?.aliveWhileLocked === 'string') void navigator.locks.request(data.aliveWhileLocked, () => resolve(''));
      if (data?.deafIn !== undefined) watch(data.deafIn);
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

/** Resolves with what a worker hangs in. Seconds are counted one by one: a computer that sleeps counts none. */
export function watchDeafness(hung: (why: string) => void): (work: DeafMessage['deafIn']) => void {
  let timer: ReturnType<typeof setInterval> | undefined;
  return (work) => {
    clearInterval(timer);
    if (!work) return;
    let seconds = 0;
    timer = setInterval(() => {
      seconds += 1;
      if (seconds < work.seconds) return;
      clearInterval(timer);
      hung(`It did not come to an end with ${work.what}, so it was ended.`);
    }, 1000);
  };
}
