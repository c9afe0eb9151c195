import type { Device } from '../../device/types.ts';
import { NvlmError, throwIfAborted } from '../../errors.ts';
import { subfolder } from '../../files/subfolder.ts';
import { openModelFolder, type ModelFolder } from '../../weights/model-folder.ts';
import { parseRun } from '../../training/run-config.ts';
import { adapterFilesOf, readAdapter } from '../adapters/adapter.ts';
import type { CallOptions, ModelSource } from '../api.ts';
import type { EnginePlatform } from '../platform.ts';
import { FEATURES, FeatureStore } from './feature-store.ts';
import { exportRun, importRun, runFileOf } from './run-exchange.ts';
import { openRunData } from './run-data.ts';
import { INIT, openInit } from './run-init.ts';
import { RunLocks } from './run-locks.ts';
import { closedFolder, fingerprintModel, keptSource, otherModel } from './run-model.ts';
import { newRunId, RunStore, type StoredRun } from './run-store.ts';
import { Session } from '../chat/session.ts';
import { CHECKPOINT, LOG, SAMPLES, train, type TrainResult } from './train.ts';
import type { ExportedFile, RunEvent, RunSample, RunStep, RunSummary, TrainingApi } from './training-api.ts';
import { withTileTags } from './tile-tags.ts';
import { planRun } from './training-plan.ts';

/** What a run asks of the engine that it trains on. */
export interface TrainingHost {
  platform: EnginePlatform;
  /** The open device, for looking at its limits. */
  device(): Promise<Device>;
  /**
   * Waits until the device is free, takes the loaded model off it and has it for as long as `work` lasts. The signal that
   * `work` gets fires too when the engine is disposed of. A lost device is replaced.
   *
   * @throws NvlmError `busy` when there is a run already
   */
  alone<T>(signal: AbortSignal | undefined, work: (device: Device, signal: AbortSignal) => Promise<T>): Promise<T>;
  /** The two files of an adapter of this browser. @throws NvlmError `not-found` */
  adapterFiles(id: string): Promise<ExportedFile[]>;
}

type RunOptions = CallOptions & { onEvent?: (event: RunEvent) => void };

const INTERRUPTED = 'Its tab was closed or its engine stopped in the middle; it goes on from its last checkpoint.';

/** The runs of one engine. At most one of them trains. */
export function createTraining(host: TrainingHost): TrainingApi {
  const { platform } = host;
  const locks = new RunLocks();
  /** Models on the visitor's disk, by run: they are open for as long as the page is. */
  const picked = new Map<string, ModelSource>();
  let opened: Promise<RunStore> | undefined;
  const openStore = () => (opened ??= platform.files().then((files) => new RunStore(files)));

  /** What a file says of a run, and what of that is still true. */
  function summaryOf(run: StoredRun, bytes: number, isRunning: (id: string) => boolean): RunSummary {
    const isDead = run.state === 'running' && !isRunning(run.id);
    const { modelFingerprint, ...summary } = run;
    const { model } = run.request;
    return {
      ...summary,
      request: { ...run.request, model: keptSource(model) },
      bytes,
      needsModel: model.kind === 'files' && !picked.has(run.id),
      ...(isDead && { state: 'paused' as const, note: INTERRUPTED }),
    };
  }

  /** @throws NvlmError `not-found` for a folder that is not open any more */
  function modelOf({ id, request: { model } }: StoredRun): ModelSource {
    const source = model.kind === 'files' ? picked.get(id) : model;
    if (source) return source;
    throw closedFolder(model);
  }

  async function summarize(run: StoredRun): Promise<RunSummary> {
    const store = await openStore();
    return summaryOf(run, await store.bytes(run.id), await locks.running());
  }

  /** @param former what a refusal before the first step leaves; null for a new run */
  async function go(run: StoredRun, former: StoredRun | null, options: RunOptions): Promise<RunSummary> {
    const store = await openStore();
    const release = await locks.acquire(run.id);
    let isBegun = false;
    const onEvent = (event: RunEvent) => {
      isBegun ||= event.type === 'stage' && event.stage === 'train';
      options.onEvent?.(event);
    };
    try {
      // Another tab may have gone on with it since it was read.
      Object.assign(run, { state: 'running', note: null, result: null });
      await store.write(run);
      onEvent({ type: 'run', summary: await summarize(run) });
      const result = await host.alone(options.signal, (device, signal) => trainRun(run, store, device, { signal, onEvent }));
      run.step = result.steps;
      run.state = result.interrupted ? 'paused' : 'finished';
      if (!result.interrupted) run.result = run.request.run['lora'] ? 'adapter' : result.exported ? 'model' : null;
      await store.write(run);
    } catch (error) {
      const isStopped = error instanceof NvlmError && error.code === 'cancelled';
      const note = isStopped ? null : noteOf(error);
      if (former && !isBegun) {
        const state = former.state === 'running' ? 'paused' : former.state;
        Object.assign(run, former, { state, note: state === 'finished' ? former.note : (note ?? former.note) });
      } else {
        run.state = isFailure(error) ? 'failed' : 'paused';
        run.note = note;
      }
      // The disk may be full, which is why it stopped.
      await store.write(run).catch(() => undefined);
      if (!isStopped) throw error;
    } finally {
      release();
    }
    return summarize(run);
  }

  async function trainRun(run: StoredRun, store: RunStore, device: Device, { signal, onEvent }: RunOptions): Promise<TrainResult> {
    const { request } = run;
    const stage = (name: Extract<RunEvent, { type: 'stage' }>['stage'], done: number, total: number) =>
      onEvent?.({ type: 'stage', stage: name, done, total });
    const config = parseRun(runFileOf(request), 'The run');
    const source = modelOf(run);
    const files = await platform.openFiles(source, { signal });
    let session: Session | null = null;
    try {
      const data = await openRunData(await platform.files(), config);
      const folder = withTileTags(await openModelFolder(files, signal), config);
      // A hub's revision and an address' files are checked where they are stored; these may be others under the same name.
      if (source.kind === 'files' || source.kind === 'folder' || source.kind === 'bundled') await checkModel(run, folder, signal);
      const progress = (loaded: number) => stage('load', loaded, folder.tensorBytes);
      const output = store.folder(run.id);
      const init = await openInit(output, config);
      session = await Session.open(folder, device, {
        quantize: config.quantize ?? undefined,
        signal,
        onProgress: ({ loadedBytes }) => progress(loadedBytes),
      });
      const hasCheckpoint = (await output.list(CHECKPOINT)).length > 0;
      const pace = new Pace(config.steps);
      return await train(
        {
          model: session.model,
          folder,
          text: session.requireText(),
          device,
          run: config,
          ...data,
          adapter: init && readAdapter(session.model, init),
          output,
          resume: hasCheckpoint,
          features: new FeatureStore(subfolder(await platform.files(), FEATURES)),
        },
        {
          signal,
          onPlanned: (done, total) => stage('data', done, total),
          onProblems: (problems) => onEvent?.({ type: 'problems', problems: [...problems] }),
          onStage: stage,
          onStep: (step) => onEvent?.({ type: 'step', step, etaSeconds: pace.after(step) }),
          onSample: (sample) => onEvent?.({ type: 'sample', sample }),
          onSaved: async (step) => {
            run.step = step;
            await store.write(run);
          },
        },
      );
    } catch (error) {
      throw device.explain(error);
    } finally {
      session?.dispose();
      await files.close();
    }
  }

  /** Remembers the model that a run is begun with, and refuses any other to go on with. */
  async function checkModel(run: StoredRun, folder: ModelFolder, signal: AbortSignal | undefined): Promise<void> {
    const found = await fingerprintModel(folder, signal);
    run.modelFingerprint ??= found;
    if (run.modelFingerprint === found) return;
    picked.delete(run.id);
    throw otherModel(run.request.model);
  }

  return {
    async runs() {
      const isRunning = await locks.running();
      return (await (await openStore()).all()).map(({ run, bytes }) => summaryOf(run, bytes, isRunning));
    },

    async readRun(id) {
      const store = await openStore();
      const run = await store.read(id);
      const folder = store.folder(id);
      return {
        summary: await summarize(run),
        log: parseLines<RunStep>(await folder.read(LOG)),
        samples: parseLines<RunSample>(await folder.read(SAMPLES)),
      };
    },

    async planRun(request, options) {
      const openInit = async (id: string) => {
        const [config, weights] = (await host.adapterFiles(id)) as [ExportedFile, ExportedFile];
        return adapterFilesOf(config.bytes, weights.bytes);
      };
      return planRun(request, { platform, device: await host.device(), openInit }, options);
    },

    async startRun(request, options = {}) {
      throwIfAborted(options.signal);
      const { steps, lora } = parseRun(runFileOf(request), 'The run');
      const init = lora?.init ? await host.adapterFiles(lora.init) : [];
      const now = Date.now();
      const { title } = request;
      const id = newRunId();
      const output = (await openStore()).folder(id);
      for (const { path, bytes } of init) await output.write(`${INIT}/${path}`, bytes);
      if (request.model.kind === 'files') picked.set(id, request.model);
      const begun = { id, title, request, steps, step: 0, createdAt: now, changedAt: now };
      return go({ ...begun, state: 'running', note: null, result: null, modelFingerprint: null }, null, options);
    },

    async resumeRun(id, options = {}) {
      throwIfAborted(options.signal);
      const former = await (await openStore()).read(id);
      const { model = former.request.model, changes } = options;
      if (options.model?.kind === 'files') picked.set(id, options.model);
      const request = { ...former.request, model, run: { ...former.request.run, ...changes } };
      const run = { ...former, request, steps: parseRun(runFileOf(request), 'The run').steps };
      // Before another model is taken off the device for nothing.
      modelOf(run);
      return go(run, former, options);
    },

    async deleteRun(id) {
      // Not under a tab that writes into it.
      const release = await locks.acquire(id);
      try {
        const store = await openStore();
        await store.remove(id);
        picked.delete(id);
        // Made from the visitor's pictures: with the last run they go too.
        if ((await store.all()).length === 0) await (await platform.files()).remove(FEATURES);
      } finally {
        release();
      }
    },

    async renameRun(id, title) {
      const store = await openStore();
      const run = await store.read(id);
      // The tab that trains it has the file in hand.
      const release = await locks.acquire(id);
      try {
        Object.assign(run, { title });
        await store.write(run);
      } finally {
        release();
      }
      return summarize(run);
    },

    exportRun: async (id, what) => exportRun(await openStore(), await platform.files(), id, what),

    async importRun(files) {
      return summarize(await importRun(await openStore(), await platform.files(), files));
    },
  };
}

/** What would happen again however often it is tried, in contrast to what a later try may survive. */
function isFailure(error: unknown): boolean {
  const codes: readonly string[] = ['not-a-number', 'usage', 'bad-data', 'bad-model', 'unsupported-model', 'internal'];
  return !(error instanceof NvlmError) || codes.includes(error.code);
}

function noteOf(error: unknown): string {
  return error instanceof NvlmError ? `${error.message} ${error.fix}` : String(error);
}

/** Lines of JSON; a last one that a dying tab cut off is left out. */
function parseLines<T>(bytes: Uint8Array | null): T[] {
  const lines = new TextDecoder().decode(bytes ?? new Uint8Array(0)).split('\n');
  return lines.flatMap((line) => {
    try {
      return line ? [JSON.parse(line) as T] : [];
    } catch {
      return [];
    }
  });
}

/** What is left of a run, from the speed of its last steps. */
class Pace {
  private msPerStep: number | null = null;

  constructor(private readonly steps: number) {}

  /** @returns seconds */
  after({ step, ms }: RunStep): number {
    // The first one encodes pictures and compiles: it counts until there is another.
    this.msPerStep = this.msPerStep === null || step <= 1 ? ms : 0.9 * this.msPerStep + 0.1 * ms;
    return ((this.steps - step - 1) * this.msPerStep) / 1000;
  }
}
