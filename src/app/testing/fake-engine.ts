import {
  ENGINE_METHODS,
  type CallOptions,
  type ChatEvent,
  type ChatRequest,
  type ChatResult,
  type DeviceInfo,
  type Engine,
  type FamilySummary,
  type Inspection,
  type LoadedModel,
  type ModelEntry,
  type PlannedModel,
} from '../../engine/api.ts';
import type { AdapterEntry, RunEvent, RunRecord, RunSummary } from '../../engine/runs/training-api.ts';
import { cancelled, NvlmError, throwIfAborted } from '../../errors.ts';
import { modelAddress } from '../../engine/models/model-address.ts';
import type { EngineClient } from '../engine-client.ts';

/** An engine without arithmetic: what tests of the page's state need to start, hold up, break and look into. */
export interface FakeEngine extends EngineClient {
  chats: ChatRequest[];
  adapterEntries: AdapterEntry[];
  /** Tokens of the next answers. */
  script: string[];
  /** Thrown by the next call of that name. */
  failNext: Partial<Record<keyof Engine, NvlmError>>;
  /** While set, loads and answers wait for it before their last step. */
  gate: Promise<void> | null;
  restarts: number;
  /** Models whose load came to its end. */
  loads: string[];
  /** Everything that `startRun` has made, by id. */
  runRecords: Map<string, RunRecord>;
  die(error: NvlmError): void;
  loadedId: string | null;
  /** The last loaded model that is not bundled. */
  own: ModelEntry | null;
}

const DEVICE: DeviceInfo = {
  backend: 'wasm',
  adapter: null,
  features: [],
  limits: {},
  threads: 1,
  threadsReason: 'One thread computes.',
  reason: 'No WebGPU here.',
};

const family = (letter: string): FamilySummary => ({
  id: `nvlm-${letter.toLowerCase()}`,
  title: `NVLM-${letter}`,
  words: 'Somehow.',
  crossAttends: letter !== 'D',
  onePicture: 'One at a time.',
});

const PLANNED: PlannedModel = {
  family: family('D'),
  parameters: 3,
  takesPictures: true,
  tileSize: 112,
  maxTiles: 6,
  longestContext: 32_768,
  quantized: false,
};

function entry(letter: 'D' | 'X' | 'H', loadedId: string | null): ModelEntry {
  const id = `nano-${letter.toLowerCase()}`;
  return {
    id,
    title: id,
    source: { kind: 'bundled', id },
    family: family(letter),
    parameters: 3_000_000,
    bytes: 6_000_000,
    storage: null,
    storedBytes: 0,
    loaded: id === loadedId,
    takesPictures: true,
    settings: null,
    note: '',
  };
}

/** What no test has needed yet. */
const unfaked = Object.fromEntries(
  Object.keys(ENGINE_METHODS).map((name) => [
    name,
    async () => {
      throw new Error(`The fake engine has no ${name}.`);
    },
  ]),
) as unknown as Engine;

/** Methods that it does not write out reject; a test that wants one sets it. */
export function createFakeEngine(): FakeEngine {
  const lost = new Set<(error: NvlmError) => void>();

  function failing(name: keyof Engine): void {
    const error = fake.failNext[name];
    delete fake.failNext[name];
    if (error) throw error;
  }

  /** Waits for the gate, or for the call to be cancelled. */
  async function pass(signal: AbortSignal | undefined): Promise<void> {
    await Promise.resolve();
    throwIfAborted(signal);
    if (!fake.gate) return;
    const stopped = new Promise<never>((_, reject) => signal?.addEventListener('abort', () => reject(cancelled())));
    await Promise.race([fake.gate, stopped]);
  }

  function recordOf(id: string): RunRecord {
    const record = fake.runRecords.get(id);
    if (!record) throw new NvlmError('not-found', 'There is no such run.', 'Choose one of the list.');
    return record;
  }

  /** A step a turn, each of which waits for the gate. */
  async function train(id: string, { signal, onEvent }: CallOptions & { onEvent?: (event: RunEvent) => void } = {}): Promise<RunSummary> {
    const { summary, log } = recordOf(id);
    summary.state = 'running';
    // As the engine does: the run has the device to itself.
    fake.loadedId = null;
    onEvent?.({ type: 'run', summary: { ...summary } });
    try {
      for (; summary.step < summary.steps; summary.step++) {
        await pass(signal);
        const step = { step: summary.step, loss: 4 / (summary.step + 1), lr: 1e-3, gradNorm: 1, tokens: 64, ms: 10 };
        log.push(step);
        onEvent?.({ type: 'step', step, etaSeconds: (summary.steps - summary.step - 1) / 100 });
      }
      summary.state = 'finished';
      summary.result = 'adapter';
    } catch {
      summary.state = 'paused';
    }
    return { ...summary };
  }

  const fake: FakeEngine = {
    ...unfaked,
    runRecords: new Map(),
    chats: [],
    adapterEntries: [],
    script: ['MI', 'LK'],
    failNext: {},
    gate: null,
    restarts: 0,
    loads: [],
    loadedId: null,
    own: null,
    die: (error) => lost.forEach((listener) => listener(error)),
    async device() {
      failing('device');
      return DEVICE;
    },
    async openDevice(choice) {
      failing('openDevice');
      fake.loadedId = null;
      return { ...DEVICE, backend: choice === 'auto' ? 'wasm' : choice };
    },
    models: async () => [
      ...(['D', 'X', 'H'] as const).map((letter) => entry(letter, fake.loadedId)),
      ...(fake.own ? [{ ...fake.own, loaded: fake.own.id === fake.loadedId }] : []),
    ],
    async load(source, { signal } = {}) {
      await pass(signal);
      failing('load');
      const id = modelAddress(source);
      fake.loadedId = id;
      fake.loads.push(id);
      const isOwn = source.kind !== 'bundled';
      const like = entry(isOwn ? 'D' : (id.at(-1)!.toUpperCase() as 'D'), id);
      const loaded: ModelEntry = isOwn
        ? { ...like, family: { ...like.family, onePicture: null }, id, title: id, source, loaded: true, settings: {} }
        : like;
      if (isOwn) fake.own = loaded;
      return { entry: loaded, tileSize: 112, maxTiles: 6, warnings: [] as string[] } as LoadedModel;
    },
    async plan(_, { contextLength = 4096 } = {}) {
      failing('plan');
      return {
        about: PLANNED,
        backend: 'wasm',
        settings: { contextLength },
        bytes: { weights: 12, kvCache: 3, activations: 5, total: 20 },
        largestBuffer: { name: 'embedding', bytes: 6 },
        download: 6,
        freeQuota: null,
        canBeStored: null,
        verdict: 'fits',
        problems: [],
        warnings: [],
        settingsThatFit: null,
      };
    },
    async unload() {
      fake.loadedId = null;
    },
    useHubToken: async () => undefined,
    searchHub: async () => [],
    deleteStored: async () => undefined,
    async chat(request, { signal, onEvent } = {}) {
      fake.chats.push(request);
      failing('chat');
      const written: string[] = [];
      const emit = (event: ChatEvent) => onEvent?.(event);
      emit({ type: 'stage', stage: 'prefill', done: 0, total: 1 });
      let finishReason: ChatResult['finishReason'] = 'stop';
      for (const [index, text] of fake.script.entries()) {
        try {
          if (index > 0) await pass(signal);
        } catch {
          finishReason = 'cancelled';
          break;
        }
        written.push(text);
        emit({ type: 'token', id: index, text, index });
      }
      return {
        text: written.join(''),
        ids: written.map((_, i) => i),
        finishReason,
        usage: { promptTokens: 10, visualTokens: request.image ? 16 : 0, completionTokens: written.length },
        timings: { loadMs: 0, visionMs: 1, prefillMs: 1, decodeMs: 1, firstTokenMs: 2 },
        backend: 'wasm',
        adapter: null,
      };
    },
    async inspect({ image }, { signal } = {}) {
      await pass(signal);
      failing('inspect');
      return {
        tiling: {
          image: { width: image.length, height: 10 },
          grid: { cols: 2, rows: 1 },
          tiles: [0, 1, 2],
          options: { tileSize: 112 },
        } as unknown as Inspection['tiling'],
        tokens: { perTile: 16, visual: 48, tags: 6 },
        notice: null,
      } as Inspection;
    },
    verify: async () => [],
    adapters: async () => structuredClone(fake.adapterEntries),
    async importAdapter(title) {
      failing('importAdapter');
      const made: AdapterEntry = {
        id: `a${String(fake.adapterEntries.length).padStart(8, '0')}`,
        title,
        base: 'nano-d',
        rank: 4,
        modules: 2,
        parameters: 512,
        bytes: 4096,
        from: 'import',
        misfit: null,
      };
      fake.adapterEntries.push(made);
      return made;
    },
    async deleteAdapter(id) {
      failing('deleteAdapter');
      fake.adapterEntries = fake.adapterEntries.filter((one) => one.id !== id);
    },
    exportAdapter: async () => [{ path: 'adapter_config.json', bytes: new Uint8Array([123, 125]) }],
    async exportMerged(_, { onPart }) {
      failing('exportMerged');
      const part = new Uint8Array([123, 125]);
      await onPart({ path: 'config.json', fileBytes: 2, part, last: true, doneBytes: 2, totalBytes: 2 });
    },
    async runs() {
      failing('runs');
      return [...fake.runRecords.values()].map(({ summary }) => summary);
    },
    async readRun(id) {
      failing('readRun');
      return recordOf(id);
    },
    async planRun() {
      failing('planRun');
      return {
        weights: 12,
        optimizer: 3,
        activations: 5,
        total: 20,
        longest: 64,
        trainedParameters: 1000,
        verdict: 'fits',
        problems: [],
        notes: [],
        warnings: [],
        changes: null,
      };
    },
    async startRun(request, options) {
      failing('startRun');
      const id = `run-${fake.runRecords.size + 1}`;
      const steps = Number(request.run['steps']);
      const summary: RunSummary = {
        id,
        title: request.title,
        request,
        state: 'running',
        step: 0,
        steps,
        createdAt: 0,
        changedAt: 0,
        bytes: 0,
        note: null,
        result: null,
        needsModel: false,
      };
      fake.runRecords.set(id, { summary, log: [], samples: [] });
      return train(id, options);
    },
    async resumeRun(id, options) {
      failing('resumeRun');
      return train(id, options);
    },
    async deleteRun(id) {
      fake.runRecords.delete(id);
    },
    async renameRun(id, title) {
      recordOf(id).summary.title = title;
      return recordOf(id).summary;
    },
    exportRun: async () => [{ path: 'adapter_model.safetensors', bytes: new Uint8Array(8) }],
    async importRun() {
      failing('importRun');
      throw new NvlmError('bad-data', 'These files are no run.', 'Choose the folder of a run.');
    },
    dispose: async () => undefined,
    onLost(listener) {
      lost.add(listener);
      return () => lost.delete(listener);
    },
    restart() {
      fake.restarts += 1;
      fake.loadedId = null;
    },
  };
  return fake;
}
