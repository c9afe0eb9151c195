import * as Comlink from 'comlink';
import type { AliveMessage, CallId, EngineService, Reply } from '../../workers/engine-service.ts';
import type { CallOptions, Engine } from '../engine/api.ts';
import { NvlmError, cancelled, fromPlainError } from '../errors.ts';

/** The engine in its worker, as the page holds it: an {@link Engine} that can die and be started again. */
export interface EngineClient extends Engine {
  /** Called when the worker is gone without having been asked; every open call has been rejected with `engine-lost`. */
  onLost(listener: (error: NvlmError) => void): () => void;
  /** Ends the worker, rejecting what runs in it, and starts a fresh one with no model loaded. */
  restart(): void;
}

/** One started worker; the seam that tests replace. */
export interface EngineHost {
  service: Comlink.Remote<EngineService>;
  /** Resolves with what is known about the end of a worker that was not asked to end. */
  died: Promise<string>;
  terminate(): void;
}

type ServiceCall<T> = (service: Comlink.Remote<EngineService>, id: CallId) => Promise<Reply<T>>;

/** An engine behind `spawn`ed workers. The first starts at once, so that it is ready when the page is. */
export function createEngineClient(spawn: () => EngineHost = spawnEngineWorker): EngineClient {
  const lostListeners = new Set<(error: NvlmError) => void>();
  /** Rejects every call that waits for the present worker. */
  let rejectOpen = new Set<(error: NvlmError) => void>();
  let lastId = 0;
  /** Held here for the workers to come. */
  let token: string | null = null;
  let host = start();

  function start(): EngineHost {
    const started = spawn();
    if (token !== null) void started.service.useHubToken(token);
    void started.died.then((why) => {
      if (started !== host) return;
      const error = engineLost(why);
      abandon(error);
      host = start();
      for (const listener of lostListeners) listener(error);
    });
    return started;
  }

  /** Ends the present worker; those that wait for it hear `error`. */
  function abandon(error: NvlmError): void {
    const waiting = rejectOpen;
    rejectOpen = new Set();
    host.terminate();
    for (const reject of waiting) reject(error);
  }

  async function call<T>(work: ServiceCall<T>, signal?: AbortSignal): Promise<T> {
    if (signal?.aborted) throw cancelled();
    const { service } = host;
    const id = ++lastId;
    const cancel = () => void service.cancel(id);
    const open = rejectOpen;
    let reject!: (error: NvlmError) => void;
    const lost = new Promise<never>((_, rejectLost) => {
      reject = rejectLost;
    });
    open.add(reject);
    signal?.addEventListener('abort', cancel);
    try {
      const reply = await Promise.race([work(service, id), lost]);
      if (!reply.ok) throw fromPlainError(reply.error);
      return reply.value;
    } finally {
      open.delete(reject);
      signal?.removeEventListener('abort', cancel);
    }
  }

  return {
    device: () => call((service) => service.device()),
    openDevice: (choice) => call((service) => service.openDevice(choice)),
    models: () => call((service) => service.models()),
    load: (source, { signal, onProgress = ignore, ...settings } = {}) =>
      call((service, id) => service.load(id, source, settings, Comlink.proxy(onProgress)), signal),
    plan: (source, { signal, ...settings } = {}) => call((service, id) => service.plan(id, source, settings), signal),
    unload: () => call((service) => service.unload()),
    useHubToken(given) {
      token = given;
      return call((service) => service.useHubToken(given));
    },
    searchHub: (query, { signal } = {}) => call((service, id) => service.searchHub(id, query), signal),
    deleteStored: (model) => call((service) => service.deleteStored(model)),
    chat: (request, { signal, onEvent = ignore } = {}) =>
      call((service, id) => service.chat(id, request, Comlink.proxy(onEvent)), signal),
    inspect: (request, { signal }: CallOptions = {}) => call((service, id) => service.inspect(id, request), signal),
    verify: ({ signal, onProgress = ignore } = {}) =>
      call((service, id) => service.verify(id, Comlink.proxy(onProgress)), signal),
    runs: () => call((service) => service.runs()),
    readRun: (id) => call((service) => service.readRun(id)),
    planRun: (request, { signal } = {}) => call((service, id) => service.planRun(id, request), signal),
    startRun: (request, { signal, onEvent = ignore } = {}) =>
      call((service, id) => service.startRun(id, request, Comlink.proxy(onEvent)), signal),
    resumeRun: (run, { signal, onEvent = ignore, ...how } = {}) =>
      call((service, id) => service.resumeRun(id, run, how, Comlink.proxy(onEvent)), signal),
    deleteRun: (id) => call((service) => service.deleteRun(id)),
    renameRun: (id, title) => call((service) => service.renameRun(id, title)),
    exportRun: (id, what) => call((service) => service.exportRun(id, what)),
    importRun: (files) => call((service) => service.importRun(files)),
    adapters: () => call((service) => service.adapters()),
    importAdapter: (title, files) => call((service) => service.importAdapter(title, files)),
    deleteAdapter: (adapter) => call((service) => service.deleteAdapter(adapter)),
    exportAdapter: (adapter) => call((service) => service.exportAdapter(adapter)),
    exportMerged: (adapters, { signal, onPart }) =>
      call((service, id) => service.exportMerged(id, adapters, Comlink.proxy(onPart)), signal),
    dispose: async () => {
      await call((service) => service.dispose());
      abandon(cancelled());
    },
    onLost(listener) {
      lostListeners.add(listener);
      return () => lostListeners.delete(listener);
    },
    restart() {
      abandon(engineLost('It was restarted.'));
      host = start();
    },
  };
}

function ignore(): void {}

function engineLost(why: string): NvlmError {
  return new NvlmError(
    'engine-lost',
    `The engine's worker stopped. ${why}`.trim(),
    'It has been started again: ask once more.',
  );
}

function spawnEngineWorker(): EngineHost {
  const worker = new Worker(new URL('../../workers/engine.worker.ts', import.meta.url), {
    type: 'module',
    name: 'engine',
  });
  const service = Comlink.wrap<EngineService>(worker);
  const died = new Promise<string>((resolve) => {
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      resolve(event.message ? `It said: ${event.message}` : 'Its script could not be loaded.');
    });
    worker.addEventListener('messageerror', () => resolve('A message from it could not be read.'));
    // No event tells of a worker that the browser ended (out of memory). It holds a lock; who gets it knows.
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
