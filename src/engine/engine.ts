import { openDevice } from '../device/open-device.ts';
import type { Device } from '../device/types.ts';
import { NvlmError } from '../errors.ts';
import { tokensPerTile } from '../nvlm/config.ts';
import { freeQuota } from '../weights/storage/quota.ts';
import { openModelFolder, readModelDescription, type ModelFolder } from '../weights/model-folder.ts';
import type {
  BackendChoice,
  CallOptions,
  ChatEvent,
  ChatRequest,
  ChatResult,
  DeviceInfo,
  Engine,
  InspectRequest,
  Inspection,
  LoadedModel,
  LoadOptions,
  LoadProgress,
  MemoryPlan,
  ModelEntry,
  ModelSource,
  PlanSettings,
} from './api.ts';
import { BUNDLED_MODELS, isBundled } from './bundled-models.ts';
import { geometryOfModel, NVLM_72B, nvlm72bGeometry, type Geometry } from './geometries.ts';
import { inspectImage } from './inspect.ts';
import { planMemory } from './memory-plan.ts';
import { sourceId, type EnginePlatform } from './platform.ts';
import { Session } from './session.ts';
import { openTextSide } from './text-side.ts';

interface Loaded {
  session: Session;
  source: ModelSource;
  entry: ModelEntry;
}

/** One device, at most one model. Calls that use the device wait for each other; `inspect` does not use it. */
export function createEngine(platform: EnginePlatform): Engine {
  let opened: Promise<Device> | null = null;
  let choice: BackendChoice = 'auto';
  let loaded: Loaded | null = null;
  /** Why the device went away, until another is opened. */
  let lost: NvlmError | null = null;
  const geometries = new Map<string, Promise<Geometry>>();

  let last: Promise<unknown> = Promise.resolve();
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = last.then(work, work);
    last = result.catch(() => undefined);
    return result;
  }

  function device(): Promise<Device> {
    opened ??= openDevice(choice, platform.device).then((device) => {
      void device.lost.then((error) => {
        if (current !== device) return;
        lost = error;
        // Its tensors went with it: nothing is left to free on the device.
        loaded = null;
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
    loaded?.session.dispose();
    loaded = null;
  }

  async function entries(): Promise<ModelEntry[]> {
    const store = await platform.store();
    const usage = (await store?.usage()) ?? [];
    return BUNDLED_MODELS.map((model) => {
      const storedBytes = usage
        .filter(({ path }) => path.startsWith(`${model.id}/`))
        .reduce((sum, { bytes }) => sum + bytes, 0);
      return {
        ...model,
        source: { kind: 'bundled' as const, id: model.id },
        storage: store ? (storedBytes > 0 ? store.kind : null) : ('files' as const),
        storedBytes,
        loaded: loaded?.entry.id === model.id,
      };
    });
  }

  async function describe(source: ModelSource, folder: ModelFolder, session: Session): Promise<ModelEntry> {
    const id = sourceId(source);
    const bundled = (await entries()).find((entry) => entry.id === id);
    if (bundled) return { ...bundled, loaded: true };
    return {
      id,
      title: id.split(/[\\/]/).filter(Boolean).at(-1) ?? id,
      source,
      architecture: session.config.architecture,
      parameters: [...folder.tensors.values()].reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
      bytes: folder.shards.reduce((sum, { bytes }) => sum + bytes, 0),
      storage: source.kind === 'folder' ? 'files' : ((await platform.store())?.kind ?? null),
      storedBytes: 0,
      loaded: true,
      note: 'A model of your own: what it can do is for its publisher to say.',
    };
  }

  async function load(
    source: ModelSource,
    { quantize, adapter, signal, onProgress }: LoadOptions = {},
  ): Promise<LoadedModel> {
    const report = (stage: LoadProgress['stage'], progress: Partial<LoadProgress> = {}) =>
      onProgress?.({ stage, loadedBytes: 0, totalBytes: 0, bytesPerSecond: 0, etaSeconds: null, fromStorage: false, ...progress });
    const device = await usableDevice();
    report('config');
    const files = await platform.openFiles(source, { signal });
    let latest: Partial<LoadProgress> = {};
    try {
      const folder = await openModelFolder(files, signal);
      report('weights', { totalBytes: folder.tensorBytes });
      const session = await Session.open(folder, device, {
        quantize,
        adapter,
        signal,
        onProgress: (progress) => report('weights', (latest = progress)),
      });
      // The old model stays usable until the new one is there.
      unloadNow();
      loaded = { session, source, entry: await describe(source, folder, session) };
    } catch (error) {
      await files.close(error);
      throw device.explain(error);
    } finally {
      await files.close();
    }
    report('ready', latest);
    const { session, entry } = loaded;
    const { config } = session;
    return {
      entry,
      architecture: config.architecture,
      tileSize: config.tileSize,
      maxTiles: config.maxTiles,
      tagFormat: config.tagFormat,
      tokensPerTile: tokensPerTile(config),
      contextLength: session.contextLength,
      weightBytes: session.model.weights.bytes,
      loadMs: session.loadMs,
    };
  }

  async function plan(
    source: ModelSource,
    { signal, contextLength, quantize }: CallOptions & Partial<PlanSettings> = {},
  ): Promise<MemoryPlan> {
    const { info } = await usableDevice();
    const files = await platform.openFiles(source, { signal });
    try {
      const folder = await openModelFolder(files, signal);
      const quota = (await platform.store()) ? await freeQuota() : null;
      return planMemory(folder, info, { contextLength, quantize }, quota);
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
    if (loaded?.entry.id === id && loaded.session.text) return geometryOfModel({ id, title: loaded.entry.title, ...loaded.session.text });
    const known = geometries.get(id);
    if (known) return known;
    const reading = readGeometry(id, options);
    geometries.set(id, reading);
    reading.catch(() => geometries.delete(id));
    return reading;
  }

  async function readGeometry(id: string, { signal }: CallOptions): Promise<Geometry> {
    const source: ModelSource = isBundled(id) ? { kind: 'bundled', id } : { kind: 'folder', path: id };
    const files = await platform.openFiles(source, { signal });
    try {
      // The description alone: the shards may be on their way into storage at this moment, by a load of the same model.
      return geometryOfModel({ id, title: id, ...openTextSide(await readModelDescription(files, signal)) });
    } finally {
      await files.close();
    }
  }

  return {
    device: () => inTurn(async () => (await device()).info),

    openDevice: (wanted: BackendChoice): Promise<DeviceInfo> =>
      inTurn(async () => {
        if (!lost) unloadNow();
        await current?.dispose();
        current = opened = lost = null;
        choice = wanted;
        return (await device()).info;
      }),

    models: entries,

    load: (source, options) => inTurn(() => load(source, options)),

    plan: (source, options) => inTurn(() => plan(source, options)),

    unload: () => inTurn(async () => unloadNow()),

    deleteStored: (id) =>
      inTurn(async () => {
        const store = await platform.store();
        if (!store) {
          throw new NvlmError('usage', 'Nothing is stored here: models are read where they lie.', 'Delete the folder itself, if you want it gone.');
        }
        await store.delete(id);
      }),

    chat: (request: ChatRequest, options?: CallOptions & { onEvent?: (event: ChatEvent) => void }): Promise<ChatResult> =>
      inTurn(async () => {
        if (lost) throw lost;
        if (!loaded) throw new NvlmError('not-found', 'No model is loaded.', 'Load one first, on the Models screen.');
        return loaded.session.chat(request, options);
      }),

    async inspect(request: InspectRequest, options: CallOptions = {}): Promise<Inspection> {
      return inspectImage(request.image, await geometry(request.model, options), request, options);
    },

    verify: (options) =>
      inTurn(async () => {
        // The cases and the cpu backend are only worth loading for those who ask.
        const { verifyOps } = await import('./verify.ts');
        return verifyOps(await usableDevice(), options);
      }),

    dispose: () =>
      inTurn(async () => {
        if (!lost) unloadNow();
        await current?.dispose();
        current = opened = null;
      }),
  };
}
