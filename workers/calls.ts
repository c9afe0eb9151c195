import { releaseProxy, type ProxyMethods } from 'comlink';
import { toPlainError } from '../src/errors.ts';
import type { CallId, Reply } from './engine-service.ts';

/** Calls as a worker answers them: errors as data, and each one to be cancelled by its number. */
export class Calls {
  private readonly running = new Map<CallId, AbortController>();

  async reply<T>(work: () => Promise<T>): Promise<Reply<T>> {
    try {
      return { ok: true, value: await work() };
    } catch (error) {
      return { ok: false, error: toPlainError(error) };
    }
  }

  cancellable<T>(id: CallId, work: (signal: AbortSignal) => Promise<T>): Promise<Reply<T>> {
    return this.reply(async () => {
      const controller = new AbortController();
      this.running.set(id, controller);
      try {
        return await work(controller.signal);
      } finally {
        this.running.delete(id);
      }
    });
  }

  cancel(id: CallId): void {
    this.running.get(id)?.abort();
  }
}

/**
 * Runs `work` with a listener of the page. Events have a port of their own, so the reply could overtake the last of
 * them: it waits until all have arrived. Then the port is closed by hand, because Comlink leaks those that are left to
 * the garbage collector.
 */
export async function listening<E, T>(
  listener: (event: E) => unknown,
  work: (emit: (event: E) => void) => Promise<T>,
): Promise<T> {
  let lastArrived: Promise<unknown> = Promise.resolve();
  try {
    return await work((event) => {
      lastArrived = Promise.resolve(listener(event)).catch(() => undefined);
    });
  } finally {
    await lastArrived;
    (listener as Partial<ProxyMethods>)[releaseProxy]?.();
  }
}

/** No more than one event in this time: each is a message that the page has to take. */
const EVENT_EVERY_MS = 80;

/** Leaves out events that follow another too soon. */
export function thinned<E>(emit: (event: E) => void): (event: E) => void {
  let next = 0;
  return (event) => {
    if (performance.now() < next) return;
    next = performance.now() + EVENT_EVERY_MS;
    emit(event);
  };
}
