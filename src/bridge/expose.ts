import * as Comlink from 'comlink';
import type { AliveMessage, CallService } from './protocol.ts';

/** The types know only the page's `postMessage`. */
const page = globalThis as unknown as Pick<MessagePort, 'postMessage'>;

/**
 * Makes `service` what this worker answers with, over its own messages or over a port that the page has given it, and lets the page notice
 * its end: browsers tell nobody when they end a worker (out of memory), but they free its locks. Pages that did not come over HTTPS have
 * none; they go without.
 */
export function expose(service: CallService, port?: MessagePort): void {
  if (isSecureContext) {
    const lock = `nvlm-worker-${crypto.randomUUID()}`;
    void navigator.locks.request(lock, () => {
      page.postMessage({ aliveWhileLocked: lock } satisfies AliveMessage);
      return new Promise(() => undefined);
    });
  }
  Comlink.expose(service, port);
}
