import * as Comlink from 'comlink';
import { NvlmError, cancelled, fromPlainError } from '../errors.ts';
import type { Methods } from './methods.ts';
import { isPlainObject, movablesIn } from './movable.ts';
import type { Callback } from './protocol.ts';
import type { WorkerHost } from './worker-host.ts';

export interface RemoteOptions<Api> {
  methods: Methods<Api>;
  spawn(): WorkerHost;
  /** What the calls that wait for a worker reject with when it dies. */
  lost(why: string): NvlmError;
  /** Called with every worker that starts, before any other call. */
  onStart?(api: Api): void;
  /** Called after the worker has died and its calls were rejected; the next call starts another. */
  onLost?(error: NvlmError): void;
  /** Ends a worker that has not answered a cancelled call after this time; by default it is waited for. */
  patienceMs?: number;
}

/** An API that runs in a worker, as the page holds it. */
export interface Remote<Api> {
  /** Every method rejects with an `NvlmError`. */
  api: Api;
  /** Starts the worker now; otherwise the first call does. */
  start(): void;
  /** Ends the worker: calls that wait for it reject with `error`. */
  end(error: NvlmError): void;
}

interface Running extends WorkerHost {
  /** Rejects every call that waits for this worker. */
  rejectOpen: Set<(error: NvlmError) => void>;
}

export function createRemote<Api extends object>(options: RemoteOptions<Api>): Remote<Api> {
  let running: Running | null = null;
  let lastId = 0;
  const names = Object.keys(options.methods) as (keyof Api & string)[];
  const api = Object.fromEntries(names.map((name) => [name, (...args: unknown[]) => call(name, args)])) as Api;

  function start(): Running {
    if (running) return running;
    const started: Running = { ...options.spawn(), rejectOpen: new Set() };
    running = started;
    void started.died.then((why) => {
      if (running !== started) return;
      const error = options.lost(why);
      end(error);
      options.onLost?.(error);
    });
    options.onStart?.(api);
    return started;
  }

  function end(error: NvlmError): void {
    const ended = running;
    if (!ended) return;
    running = null;
    ended.terminate();
    for (const reject of ended.rejectOpen) reject(error);
  }

  async function call(method: keyof Api & string, given: unknown[]): Promise<unknown> {
    const { args, signal, callbacks } = withoutCarried(given);
    if (signal?.aborted) throw cancelled();
    const host = start();
    const id = ++lastId;
    let reject!: (error: NvlmError) => void;
    const lost = new Promise<never>((_, rejectLost) => {
      reject = rejectLost;
    });
    host.rejectOpen.add(reject);
    let patience: ReturnType<typeof setTimeout> | undefined;
    const cancel = () => {
      void host.service.cancel(id);
      if (options.patienceMs === undefined) return;
      patience = setTimeout(() => {
        if (running === host) end(cancelled());
      }, options.patienceMs);
    };
    signal?.addEventListener('abort', cancel);
    try {
      const message = { id, method, args, callbacks: Object.keys(callbacks), cancellable: signal !== undefined };
      const moved = options.methods[method].moves?.includes('arguments') ? movablesIn(args) : [];
      const proxies = Object.values(callbacks).map((callback) => Comlink.proxy(callback));
      const reply = await Promise.race([host.service.call(Comlink.transfer(message, moved), ...proxies), lost]);
      if (!reply.ok) throw fromPlainError(reply.error);
      return reply.value;
    } finally {
      clearTimeout(patience);
      host.rejectOpen.delete(reject);
      signal?.removeEventListener('abort', cancel);
    }
  }

  return { api, start: () => void start(), end };
}

/** Takes what does not cross by itself, the AbortSignal and the callbacks, out of the last argument. */
function withoutCarried(given: unknown[]) {
  const options = given.at(-1);
  const callbacks: Record<string, Callback> = {};
  let signal: AbortSignal | undefined;
  if (!isPlainObject(options)) return { args: given, signal, callbacks };
  const rest: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (typeof value === 'function') callbacks[name] = value as Callback;
    else if (value instanceof AbortSignal) signal = value;
    else rest[name] = value;
  }
  return { args: [...given.slice(0, -1), rest], signal, callbacks };
}
