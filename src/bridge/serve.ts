import { releaseProxy, transfer, type ProxyMethods } from 'comlink';
import { toPlainError } from '../errors.ts';
import type { Methods, MethodTraits } from './methods.ts';
import { isPlainObject, movablesIn } from './movable.ts';
import type { Callback, CallId, CallService, Reply } from './protocol.ts';

/**
 * `api` as a worker exposes it: errors answered as data, each call to be cancelled by its number, callbacks as proxies
 * of the page's.
 */
export function serve<Api extends object>(api: Api, methods: Methods<Api>): CallService {
  const running = new Map<CallId, AbortController>();

  return {
    async call({ id, method, args, callbacks, cancellable }, ...proxies) {
      const listeners = proxies.map((proxy) => listen(proxy, moves(method, 'events')));
      const carried: Record<string, unknown> = Object.fromEntries(callbacks.map((name, i) => [name, listeners[i]!.emit]));
      if (cancellable) {
        const controller = new AbortController();
        running.set(id, controller);
        carried.signal = controller.signal;
      }
      try {
        const value = await invoke(method, withCarried(args, carried));
        const reply: Reply = { ok: true, value };
        return moves(method, 'result') ? transfer(reply, movablesIn(value)) : reply;
      } catch (error) {
        return { ok: false, error: toPlainError(error) };
      } finally {
        running.delete(id);
        await Promise.all(listeners.map((listener) => listener.close()));
      }
    },
    cancel(id) {
      running.get(id)?.abort();
    },
  };

  function invoke(method: string, args: unknown[]): unknown {
    // The list of methods is what may be called, not whatever the object holds.
    if (!Object.hasOwn(methods, method)) throw new TypeError(`There is no method ${method}.`);
    return (api[method as keyof Api] as (...args: unknown[]) => unknown)(...args);
  }

  function moves(method: string, what: NonNullable<MethodTraits['moves']>[number]): boolean {
    return Object.hasOwn(methods, method) && (methods[method as keyof Api].moves?.includes(what) ?? false);
  }
}

function withCarried(args: unknown[], carried: Record<string, unknown>): unknown[] {
  if (Object.keys(carried).length === 0) return args;
  const options = args.at(-1);
  if (!isPlainObject(options)) throw new TypeError('Callbacks and signals come in an object of options.');
  return [...args.slice(0, -1), { ...options, ...carried }];
}

/**
 * Events have a port of their own, so the reply could overtake the last of them: `close` waits until all have arrived.
 * Then it closes the port by hand, because Comlink leaks those that are left to the garbage collector.
 *
 * `emit` resolves when the page's callback has: who waits for it is never more than one event ahead of the page.
 */
function listen(callback: Callback, moveBytes: boolean) {
  let lastArrived: Promise<unknown> = Promise.resolve();
  return {
    emit(event: unknown): Promise<unknown> {
      const arrived = Promise.resolve(callback(moveBytes ? transfer(event as object, movablesIn(event)) : event));
      // Those who do not wait for it do not care either.
      lastArrived = arrived.catch(() => undefined);
      return arrived;
    },
    async close(): Promise<void> {
      await lastArrived;
      (callback as Partial<ProxyMethods>)[releaseProxy]?.();
    },
  };
}
