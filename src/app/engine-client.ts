import { createRemote } from '../bridge/remote.ts';
import { hostOf, type WorkerHost } from '../bridge/worker-host.ts';
import { ENGINE_METHODS, type Engine } from '../engine/api.ts';
import type { EngineStart, ModelRequest } from '../engine/engine-start.ts';
import { NvlmError, cancelled } from '../errors.ts';

/** The engine in its worker, as the page holds it: an {@link Engine} that can die and be started again. */
export interface EngineClient extends Engine {
  /** Called when the worker is gone without having been asked; every open call has been rejected with `engine-lost`. */
  onLost(listener: (error: NvlmError) => void): () => void;
  /** Ends the worker, rejecting what runs in it, and starts a fresh one with no model loaded. */
  restart(): void;
}

/**
 * An engine behind `spawn`ed workers. The first starts at once, so that it is ready when the page is.
 *
 * @param headStart what the first worker asks for before the engine's script is there
 */
export function createEngineClient(
  headStart: readonly ModelRequest[] = [],
  spawn: (requests: readonly ModelRequest[]) => WorkerHost = spawnEngineWorker,
): EngineClient {
  const lostListeners = new Set<(error: NvlmError) => void>();
  /** Held here for the workers to come. */
  let token: string | null = null;
  /** A worker that comes later loads nothing before it is asked to. */
  let toBegin = headStart;
  const remote = createRemote<Engine>({
    methods: ENGINE_METHODS,
    spawn() {
      const requests = toBegin;
      toBegin = [];
      return spawn(requests);
    },
    lost: engineLost,
    onStart: (engine) => {
      if (token !== null) void engine.useHubToken(token).catch(() => undefined);
    },
    onLost(error) {
      remote.start();
      for (const listener of lostListeners) listener(error);
    },
  });
  remote.start();

  return {
    ...remote.api,
    useHubToken(given) {
      token = given;
      return remote.api.useHubToken(given);
    },
    async dispose() {
      await remote.api.dispose();
      remote.end(cancelled());
    },
    onLost(listener) {
      lostListeners.add(listener);
      return () => lostListeners.delete(listener);
    },
    restart() {
      remote.end(engineLost('It was restarted.'));
      remote.start();
    },
  };
}

function engineLost(why: string): NvlmError {
  return new NvlmError('engine-lost', `The engine's worker stopped. ${why}`.trim(), 'It has been started again: ask once more.');
}

function spawnEngineWorker(requests: readonly ModelRequest[]): WorkerHost {
  const worker = new Worker(new URL('../../workers/engine.worker.ts', import.meta.url), { type: 'module', name: 'engine' });
  const { port1, port2 } = new MessageChannel();
  worker.postMessage({ port: port2, requests } satisfies EngineStart, [port2]);
  return hostOf(worker, port1);
}
