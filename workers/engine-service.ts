import * as Comlink from 'comlink';
import type {
  BackendChoice,
  ChatEvent,
  ChatRequest,
  Engine,
  InspectRequest,
  Inspection,
  LoadOptions,
  LoadProgress,
  ModelSource,
  VerifyProgress,
  PlanSettings,
} from '../src/engine/api.ts';
import type { AdapterUse, ExportedFile, ExportPart, RunChanges, RunEvent, RunExport, RunRequest } from '../src/engine/runs/training-api.ts';
import type { PlainError } from '../src/errors.ts';
import { Calls, listening } from './calls.ts';

/** Errors cross as data: Comlink would keep their message and lose code and fix line. */
export type Reply<T> = { ok: true; value: T } | { ok: false; error: PlainError };

/** A callback of the page; in the worker it is a Comlink proxy over a port of its own. */
type Listener<T> = (event: T) => unknown;

/** Number that the page gives to a call, so that it can cancel it: an AbortSignal does not cross. */
export type CallId = number;

/** Sent once, before any reply: the worker holds this Web Lock for as long as it lives. */
export interface AliveMessage {
  aliveWhileLocked: string;
}

export type EngineService = ReturnType<typeof createEngineService>;

/** What the worker exposes: the engine with call ids in place of AbortSignals and replies in place of exceptions. */
export function createEngineService(engine: Engine) {
  const calls = new Calls();
  const reply: Calls['reply'] = (work) => calls.reply(work);
  const cancellable: Calls['cancellable'] = (id, work) => calls.cancellable(id, work);

  return {
    device: () => reply(() => engine.device()),
    openDevice: (choice: BackendChoice) => reply(() => engine.openDevice(choice)),
    models: () => reply(() => engine.models()),
    load: (id: CallId, source: ModelSource, settings: Omit<LoadOptions, 'signal' | 'onProgress'>, listener: Listener<LoadProgress>) =>
      cancellable(id, (signal) =>
        listening(listener, (onProgress) => engine.load(source, { ...settings, signal, onProgress })),
      ),
    plan: (id: CallId, source: ModelSource, settings: Partial<PlanSettings>) =>
      cancellable(id, (signal) => engine.plan(source, { ...settings, signal })),
    unload: () => reply(() => engine.unload()),
    useHubToken: (token: string | null) => reply(() => engine.useHubToken(token)),
    searchHub: (id: CallId, query: string) => cancellable(id, (signal) => engine.searchHub(query, { signal })),
    deleteStored: (model: string) => reply(() => engine.deleteStored(model)),
    chat: (id: CallId, request: ChatRequest, listener: Listener<ChatEvent>) =>
      cancellable(id, (signal) => listening(listener, (onEvent) => engine.chat(request, { signal, onEvent }))),
    inspect: async (id: CallId, request: InspectRequest) => {
      const answer = await cancellable(id, (signal) => engine.inspect(request, { signal }));
      return answer.ok ? Comlink.transfer(answer, pixelBuffers(answer.value)) : answer;
    },
    verify: (id: CallId, listener: Listener<VerifyProgress>) =>
      cancellable(id, (signal) => listening(listener, (onProgress) => engine.verify({ signal, onProgress }))),
    runs: () => reply(() => engine.runs()),
    readRun: (run: string) => reply(() => engine.readRun(run)),
    planRun: (id: CallId, request: RunRequest) => cancellable(id, (signal) => engine.planRun(request, { signal })),
    startRun: (id: CallId, request: RunRequest, listener: Listener<RunEvent>) =>
      cancellable(id, (signal) => listening(listener, (onEvent) => engine.startRun(request, { signal, onEvent }))),
    resumeRun: (id: CallId, run: string, how: { changes?: RunChanges; model?: ModelSource }, listener: Listener<RunEvent>) =>
      cancellable(id, (signal) =>
        listening(listener, (onEvent) => engine.resumeRun(run, { ...how, signal, onEvent })),
      ),
    deleteRun: (run: string) => reply(() => engine.deleteRun(run)),
    renameRun: (run: string, title: string) => reply(() => engine.renameRun(run, title)),
    exportRun: async (run: string, what: RunExport) => {
      const answer = await reply(() => engine.exportRun(run, what));
      return answer.ok ? Comlink.transfer(answer, wholeBuffers(answer.value.map(({ bytes }) => bytes))) : answer;
    },
    importRun: (files: ExportedFile[]) => reply(() => engine.importRun(files)),
    adapters: () => reply(() => engine.adapters()),
    importAdapter: (title: string, files: ExportedFile[]) => reply(() => engine.importAdapter(title, files)),
    deleteAdapter: (adapter: string) => reply(() => engine.deleteAdapter(adapter)),
    exportAdapter: async (adapter: string) => {
      const answer = await reply(() => engine.exportAdapter(adapter));
      return answer.ok ? Comlink.transfer(answer, wholeBuffers(answer.value.map(({ bytes }) => bytes))) : answer;
    },
    exportMerged: (id: CallId, adapters: readonly AdapterUse[], listener: Listener<ExportPart>) =>
      cancellable(id, async (signal) => {
        try {
          // Waited for, so that the page is never more than one piece behind.
          const onPart = (part: ExportPart) => listener(Comlink.transfer(part, wholeBuffers([part.part])));
          await engine.exportMerged(adapters, { signal, onPart });
        } finally {
          (listener as Partial<Comlink.ProxyMethods>)[Comlink.releaseProxy]?.();
        }
      }),
    dispose: () => reply(() => engine.dispose()),
    cancel: (id: CallId) => calls.cancel(id),
  };
}

/** Megabytes of pixels move instead of being copied. */
function pixelBuffers({ tiling }: Inspection): ArrayBuffer[] {
  return wholeBuffers([tiling.canvas, ...tiling.tiles.map((tile) => tile.pixels)].map((image) => image.data));
}

/** What can be moved; a view into a larger buffer is left to be copied. */
function wholeBuffers(views: (Uint8Array | Uint8ClampedArray)[]): ArrayBuffer[] {
  const whole = views.filter((view) => view.byteLength === view.buffer.byteLength);
  return [...new Set(whole.map((view) => view.buffer as ArrayBuffer))];
}
