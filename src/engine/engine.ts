import { openDevice } from '../device/open-device.ts';
import type { Device } from '../device/types.ts';
import { NvlmError, throwIfAborted, toPlainError, type PlainError } from '../errors.ts';
import { tokensPerTile } from '../nvlm/config.ts';
import { freeQuota } from '../files/quota.ts';
import { searchRepositories } from '../weights/hub-search.ts';
import { openModelFolder, readModelDescription, type ModelFolder } from '../weights/model-folder.ts';
import type {
  BackendChoice,
  CallOptions,
  ChatEvent,
  ChatRequest,
  ChatResult,
  DeviceInfo,
  Engine,
  FamilySummary,
  InspectRequest,
  Inspection,
  LoadedModel,
  LoadOptions,
  LoadProgress,
  LoadSettings,
  MemoryPlan,
  ModelEntry,
  ModelSource,
  PlannedModel,
  PlanSettings,
} from './api.ts';
import { BUNDLED_MODELS, isBundled } from './models/bundled-models.ts';
import { geometryOfModel, NVLM_72B, nvlm72bGeometry, type Geometry } from './inspect/geometries.ts';
import { hubHit } from './models/hub-hits.ts';
import { inspectImage } from './inspect/inspect.ts';
import { familySummary } from './models/family-summary.ts';
import { planMemory } from './models/memory-plan.ts';
import { modelAddress, modelTitle, parseModelAddress } from './models/model-address.ts';
import { isKept, readRecords, storageFolder, storedBytesOf, writeRecord, type ModelRecord } from './models/model-records.ts';
import type { EnginePlatform } from './platform.ts';
import { createAdapters } from './adapters/adapters.ts';
import { Inside } from './inside/inside.ts';
import { createInsideCalls } from './inside/inside-calls.ts';
import { createLab } from './lab/lab.ts';
import { createTraining, type TrainingHost } from './runs/runs.ts';
import { Session } from './chat/session.ts';
import { openTextSide } from './chat/text-side.ts';

interface Loaded {
  id: string;
  session: Session;
  inside: Inside;
  record: ModelRecord;
  warnings: string[];
  /** Without adapters of its own and with its weights in memory: what a load without either would be. */
  plain: boolean;
}

/** Of which a handful is looked at. */
const SEARCH_LIMIT = 20;
/** Of a run whose base is not here any more. */
const UNKNOWN_FAMILY: FamilySummary = {
  id: 'unknown',
  title: 'tuned',
  words: 'Its base model is not here any more.',
  crossAttends: false,
  onePicture: null,
};
const OWN_NOTE = 'A model of your own: what it can do is for its publisher to say.';

/** One device, one model that answers, and those that are kept beside it. Calls that use the device wait for each other; `inspect` does not use it. */
export function createEngine(platform: EnginePlatform): Engine {
  let opened: Promise<Device> | null = null;
  let choice: BackendChoice = 'auto';
  let loaded: Loaded | null = null;
  /** By id: loaded models that wait for their turn. */
  const kept = new Map<string, Loaded>();
  /** Why the device went away, until another is opened. */
  let lost: NvlmError | null = null;
  const geometries = new Map<string, Promise<Geometry>>();
  /** Sources by their address, for those that no address can be turned back into. */
  const known = new Map<string, ModelSource>();

  let last: Promise<unknown> = Promise.resolve();
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = last.then(work, work);
    last = result.catch(() => undefined);
    return result;
  }

  /** Ends the run that has the device, leaving a checkpoint; null when there is none. */
  let training: AbortController | null = null;
  /** As {@link inTurn}, for what would wait for the end of a run. */
  async function unlessTraining<T>(work: () => Promise<T>): Promise<T> {
    if (training) throw busyTraining();
    return inTurn(work);
  }

  /** What takes a look alone need not wait for the end of a run. */
  function beside<T>(work: () => Promise<T>): Promise<T> {
    return training ? work() : inTurn(work);
  }

  async function replaceDevice(): Promise<void> {
    await current?.dispose();
    current = opened = lost = null;
  }

  function device(): Promise<Device> {
    opened ??= openDevice(choice, platform.device).then((device) => {
      void device.lost.then((error) => {
        if (current !== device) return;
        lost = error;
        // Its tensors went with it: nothing is left to free on the device.
        loaded = null;
        kept.clear();
      });
      current = device;
      return device;
    });
    // A failed start is not kept: the next call tries again.
    opened.catch(() => (opened = null));
    return opened;
  }
  let current: Device | null = null;

  function unloadNow(): void {
    if (loaded) free(loaded);
    loaded = null;
    keepOnly([]);
  }

  function free({ inside, session }: Loaded): void {
    inside.close();
    session.dispose();
  }

  function keepOnly(ids: readonly string[]): void {
    for (const [id, one] of kept) {
      if (ids.includes(id)) continue;
      kept.delete(id);
      free(one);
    }
  }

  /** The model that answers from now on. The one before is kept where it is to stand beside this one. */
  function answerWith(next: Loaded, beside: readonly string[]): void {
    if (loaded && loaded !== next) {
      if (loaded.id !== next.id && beside.includes(loaded.id)) {
        loaded.inside.close();
        kept.set(loaded.id, loaded);
      } else {
        free(loaded);
      }
    }
    kept.delete(next.id);
    loaded = next;
    keepOnly(beside);
  }

  /** A model of these settings that is in memory already. */
  function inMemory(source: ModelSource, settings: LoadSettings): Loaded | null {
    const id = modelAddress(source);
    const held = loaded?.id === id ? loaded : kept.get(id);
    const same = held?.plain && JSON.stringify(held.record.settings) === JSON.stringify(settings) && sameFiles(held.record.source, source);
    return same ? held : null;
  }

  async function entries(): Promise<ModelEntry[]> {
    const store = await platform.store();
    const usage = (await store?.usage()) ?? [];
    const offered = BUNDLED_MODELS.filter(({ id, isStart }) => !isStart || loaded?.id === id || kept.has(id));
    const bundled = offered.map(({ isStart: _, ...model }) => {
      const source: ModelSource = { kind: 'bundled', id: model.id };
      return { ...model, family: familySummary(model.family)!, source, takesPictures: true, settings: null };
    });
    const stored = store ? await readRecords(store, usage) : [];
    const own = stored.map((record) => ({ ...record, id: modelAddress(record.source), note: OWN_NOTE }));
    const held = [...(loaded ? [loaded] : []), ...kept.values()].filter((one) => ![...bundled, ...own].some(({ id }) => id === one.id));
    return [...bundled, ...own, ...held.map(({ id, record }) => ({ ...record, id, note: OWN_NOTE }))].map((entry) => {
      const storedBytes = storedBytesOf(entry.source, usage);
      const isElsewhere = store === null || !(isKept(entry.source) || entry.source.kind === 'bundled');
      return {
        ...entry,
        storage: isElsewhere ? 'files' : storedBytes > 0 ? store.kind : null,
        storedBytes,
        loaded: loaded?.id === entry.id,
      };
    });
  }

  /** With what finished runs have left, each of the kind of the model that it began with. */
  async function allEntries(): Promise<ModelEntry[]> {
    const others = await entries();
    const finished = (await runs.runs()).filter(({ result }) => result === 'model');
    const tuned = finished.map(({ id, title, bytes, request }): ModelEntry => {
      const source: ModelSource = { kind: 'run', id };
      const base = others.find((entry) => entry.id === modelAddress(request.model));
      return {
        id: modelAddress(source),
        title,
        source,
        family: base?.family ?? UNKNOWN_FAMILY,
        parameters: base?.parameters ?? 0,
        bytes,
        takesPictures: base?.takesPictures ?? true,
        settings: {},
        storage: 'files',
        storedBytes: 0,
        loaded: loaded?.id === modelAddress(source),
        note: `Tuned here, from ${base?.title ?? modelTitle(request.model)}.`,
      };
    });
    return [...others.filter(({ id }) => !tuned.some((entry) => entry.id === id)), ...tuned];
  }

  async function load(
    source: ModelSource,
    { quantize, contextLength, adapters, offload, beside, signal, onProgress }: LoadOptions = {},
  ): Promise<LoadedModel> {
    const report = (stage: LoadProgress['stage'], progress: Partial<LoadProgress> = {}) =>
      onProgress?.({ stage, loadedBytes: 0, totalBytes: 0, bytesPerSecond: 0, etaSeconds: null, fromStorage: false, ...progress });
    const id = remember(source);
    const device = await usableDevice();
    const settings: LoadSettings = { ...(quantize && { quantize }), ...(contextLength && { contextLength }) };
    const held = beside && !adapters && !offload ? inMemory(source, settings) : null;
    if (held) {
      answerWith(held, beside!);
      report('ready');
      return describe(held, null);
    }
    report('config');
    let notKept: PlainError | null = null;
    const onWarning = (error: NvlmError) => {
      // What another tab is storing right now will be kept all the same.
      if (error.code !== 'busy') notKept = toPlainError(error);
    };
    const files = await platform.openFiles(source, { signal, onWarning });
    let latest: Partial<LoadProgress> = {};
    try {
      const folder = await openModelFolder(files, signal);
      // Before the first byte of weights: what cannot be loaded is not downloaded either.
      const record = recordOf(source, folder, settings, planMemory(folder, device.info, { contextLength, quantize }).about);
      const store = isKept(source) ? await platform.store() : null;
      // Noted down first, so that a download that breaks off is found again.
      if (store) await writeRecord(store, record);
      report('weights', { totalBytes: folder.tensorBytes });
      const session = await Session.open(folder, device, {
        quantize,
        contextLength,
        adapters,
        offload,
        signal,
        onProgress: (progress) => report('weights', (latest = progress)),
      });
      // The old model stays usable until the new one is there.
      const old = kept.get(id);
      if (old) free(old);
      const plain = !offload && (adapters ?? []).length === 0;
      answerWith({ id, session, inside: new Inside(session), record, warnings: folder.warnings, plain }, beside ?? []);
    } catch (error) {
      await files.close(error);
      throw device.explain(error);
    } finally {
      await files.close();
    }
    report('ready', latest);
    return describe(loaded!, notKept);
  }

  async function describe({ id, session, warnings }: Loaded, notKept: PlainError | null): Promise<LoadedModel> {
    const { config } = session;
    return {
      entry: (await entries()).find((entry) => entry.id === id)!,
      tileSize: config.tileSize,
      maxTiles: config.maxTiles,
      tagFormat: config.tagFormat,
      tokensPerTile: tokensPerTile(config),
      contextLength: session.contextLength,
      weightBytes: session.model.weights.bytes,
      loadMs: session.loadMs,
      notKept,
      warnings,
    };
  }

  function remember(source: ModelSource): string {
    const id = modelAddress(source);
    // Other files may come under the same name.
    if (source.kind === 'files') geometries.delete(id);
    known.set(id, source);
    return id;
  }

  function recordOf(
    source: ModelSource,
    folder: ModelFolder,
    settings: LoadSettings,
    { family, parameters, takesPictures }: PlannedModel,
  ): ModelRecord {
    const bytes = folder.shards.reduce((sum, shard) => sum + shard.bytes, 0);
    return { title: modelTitle(source), source, family, parameters, bytes, takesPictures, settings };
  }

  async function plan(
    source: ModelSource,
    { signal, contextLength, quantize }: CallOptions & Partial<PlanSettings> = {},
  ): Promise<MemoryPlan> {
    remember(source);
    const { info } = await usableDevice();
    const files = await platform.openFiles(source, { signal });
    try {
      const folder = await openModelFolder(files, signal);
      // A tokenizer or a template that cannot be used is a reason not to download the rest.
      if (folder.tokenizer) openTextSide(folder);
      const store = await platform.store();
      const quota = store && (await freeQuota());
      const storedBytes = store ? storedBytesOf(source, await store.usage()) : 0;
      return { ...planMemory(folder, info, { contextLength, quantize }, quota, storedBytes), warnings: folder.warnings };
    } finally {
      await files.close();
    }
  }

  async function usableDevice(): Promise<Device> {
    if (lost) throw lost;
    return device();
  }

  async function geometry(model: string | undefined, options: CallOptions): Promise<Geometry> {
    const id = model ?? NVLM_72B;
    if (id === NVLM_72B) return nvlm72bGeometry();
    if (loaded?.id === id && loaded.session.text) {
      return geometryOfModel({ id, title: loaded.record.title, ...loaded.session.text });
    }
    const read = geometries.get(id);
    if (read) return read;
    const reading = readGeometry(id, options);
    geometries.set(id, reading);
    reading.catch(() => geometries.delete(id));
    return reading;
  }

  async function readGeometry(id: string, { signal }: CallOptions): Promise<Geometry> {
    const source = sourceOf(id);
    const files = await platform.openFiles(source, { signal });
    try {
      // The description alone: the shards may be on their way into storage at this moment, by a load of the same model.
      return geometryOfModel({ id, title: modelTitle(source), ...openTextSide(await readModelDescription(files, signal)) });
    } finally {
      await files.close();
    }
  }

  function sourceOf(id: string): ModelSource {
    if (isBundled(id)) return { kind: 'bundled', id };
    return known.get(id) ?? parseModelAddress(id) ?? { kind: 'folder', path: id };
  }

  /** By model: its plan and its load write the same files into storage. */
  const openedModels = new Map<string, Promise<unknown>>();
  function oneAtATime<T>(source: ModelSource, work: () => Promise<T>): Promise<T> {
    const id = modelAddress(source);
    const result = (openedModels.get(id) ?? Promise.resolve()).then(work, work);
    openedModels.set(id, result);
    result.catch(() => undefined);
    return result;
  }

  const alone: TrainingHost['alone'] = async (signal, work) => {
    if (training) throw busyTraining();
    const stop = new AbortController();
    const end = () => stop.abort();
    signal?.addEventListener('abort', end);
    training = stop;
    try {
      return await inTurn(async () => {
        throwIfAborted(signal);
        unloadNow();
        // Whoever goes on after a lost device wants another one.
        if (lost) await replaceDevice();
        return work(await device(), stop.signal);
      });
    } finally {
      training = null;
      signal?.removeEventListener('abort', end);
    }
  };

  const runs = createTraining({
    platform,
    device: usableDevice,
    alone,
    adapterFiles: (id) => adapters.api.exportAdapter(id),
  });

  const adapters = createAdapters({
    platform,
    loaded: () => loaded && { session: loaded.session, source: loaded.record.source },
    sessions: () => [...(loaded ? [loaded] : []), ...kept.values()].map(({ session }) => session),
    runs: () => runs.runs(),
    inTurn,
  });

  return {
    ...runs,
    ...adapters.api,
    ...createInsideCalls({
      loaded() {
        if (lost) throw lost;
        return loaded?.inside ?? null;
      },
      async useAdapters(wanted) {
        await adapters.use(loaded!.session, wanted);
        if (lost) throw lost;
      },
      inTurn: unlessTraining,
    }),
    ...createLab({ ...runs, device: async () => (await usableDevice()).info }, platform, alone),

    device: () => beside(async () => (await device()).info),

    openDevice: (wanted: BackendChoice): Promise<DeviceInfo> =>
      unlessTraining(async () => {
        if (!lost) unloadNow();
        await replaceDevice();
        choice = wanted;
        return (await device()).info;
      }),

    models: allEntries,

    load: (source, options) => unlessTraining(() => oneAtATime(source, () => load(source, options))),

    // Computes nothing, so it need not wait for a download or an answer.
    plan: (source, options) => oneAtATime(source, () => plan(source, options)),

    async useHubToken(token) {
      platform.hub.token = token ?? undefined;
    },

    searchHub: async (query, { signal } = {}) =>
      (await searchRepositories(query, { ...platform.hub, limit: SEARCH_LIMIT, signal })).map(hubHit),

    unload: () => unlessTraining(async () => unloadNow()),

    deleteStored: (id) =>
      unlessTraining(async () => {
        const store = await platform.store();
        if (!store) {
          throw new NvlmError(
            'usage',
            'Nothing is stored here: models are read where they lie.',
            'Delete the folder itself, if you want it gone.',
          );
        }
        await store.delete(storageFolder(sourceOf(id)));
      }),

    chat: (request: ChatRequest, options?: CallOptions & { onEvent?: (event: ChatEvent) => void }): Promise<ChatResult> =>
      unlessTraining(async () => {
        if (lost) throw lost;
        if (!loaded) throw new NvlmError('not-found', 'No model is loaded.', 'Load one first, on the Models screen.');
        const { session } = loaded;
        await adapters.use(session, request.adapters ?? []);
        if (lost) throw lost;
        return session.chat(request, options);
      }),

    async inspect(request: InspectRequest, options: CallOptions = {}): Promise<Inspection> {
      return inspectImage(request.image, await geometry(request.model, options), request, options);
    },

    verify: (options) =>
      unlessTraining(async () => {
        // The cases and the cpu backend are only worth loading for those who ask.
        const { verifyOps } = await import('./measure/verify.ts');
        return verifyOps(await usableDevice(), options);
      }),

    dispose: () => {
      training?.abort();
      return inTurn(async () => {
        if (!lost) unloadNow();
        await current?.dispose();
        current = opened = null;
      });
    },
  };
}

/** Other files may come under the name of a folder that was dropped before. */
function sameFiles(a: ModelSource, b: ModelSource): boolean {
  if (a.kind !== 'files' || b.kind !== 'files') return true;
  const about = ({ files }: typeof a) =>
    files
      .map(({ path, blob }) => [path, blob.size, blob instanceof File ? blob.lastModified : 0].join())
      .sort()
      .join('\n');
  return about(a) === about(b);
}

function busyTraining(): NvlmError {
  return new NvlmError('busy', 'A fine-tuning run has the device.', 'Pause the run first.');
}
