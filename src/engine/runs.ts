import type { Device } from '../device/types.ts';
import { NvlmError, throwIfAborted } from '../errors.ts';
import { openModelFolder } from '../weights/model-folder.ts';
import { parseRun } from '../training/run-config.ts';
import type { CallOptions } from './api.ts';
import type { EnginePlatform } from './platform.ts';
import { exportRun, importRun, runFileOf } from './run-exchange.ts';
import { openRunData } from './run-data.ts';
import { RunLocks } from './run-locks.ts';
import { newRunId, RunStore, type StoredRun } from './run-store.ts';
import { Session } from './session.ts';
import { CHECKPOINT, LOG, SAMPLES, train, type TrainResult } from './train.ts';
import type { RunChanges, RunEvent, RunSample, RunStep, RunSummary, TrainingApi } from './training-api.ts';
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
}

type RunOptions = CallOptions & { changes?: RunChanges; onEvent?: (event: RunEvent) => void };

const INTERRUPTED = 'Its tab was closed or its engine stopped in the middle; it goes on from its last checkpoint.';

/** The runs of one engine. At most one of them trains. */
export function createTraining(host: TrainingHost): TrainingApi {
  const { platform } = host;
  const locks = new RunLocks();
  let opened: Promise<RunStore> | undefined;
  const openStore = () => (opened ??= platform.files().then((files) => new RunStore(files)));

  /** What a file says of a run, and what of that is still true. */
  function summaryOf(run: StoredRun, bytes: number, isRunning: (id: string) => boolean): RunSummary {
    const isDead = run.state === 'running' && !isRunning(run.id);
    return { ...run, bytes, ...(isDead && { state: 'paused' as const, note: INTERRUPTED }) };
  }

  async function summarize(run: StoredRun): Promise<RunSummary> {
    const store = await openStore();
    return summaryOf(run, await store.bytes(run.id), await locks.running());
  }

  async function go(run: StoredRun, options: RunOptions): Promise<RunSummary> {
    const store = await openStore();
    const release = await locks.acquire(run.id);
    try {
      // Another tab may have gone on with it since it was read.
      Object.assign(run, { state: 'running', note: null, result: null });
      await store.write(run);
      options.onEvent?.({ type: 'run', summary: await summarize(run) });
      const result = await host.alone(options.signal, (device, signal) => trainRun(run, store, device, { ...options, signal }));
      run.step = result.steps;
      run.state = result.interrupted ? 'paused' : 'finished';
      if (!result.interrupted) run.result = run.request.run['lora'] ? 'adapter' : result.exported ? 'model' : null;
      await store.write(run);
    } catch (error) {
      const isStopped = error instanceof NvlmError && error.code === 'cancelled';
      run.state = isFailure(error) ? 'failed' : 'paused';
      run.note = isStopped ? null : noteOf(error);
      // The disk may be full, which is why it stopped.
      await store.write(run).catch(() => undefined);
      if (!isStopped) throw error;
    } finally {
      release();
    }
    return summarize(run);
  }

  async function trainRun(
    run: StoredRun,
    store: RunStore,
    device: Device,
    { signal, onEvent }: RunOptions,
  ): Promise<TrainResult> {
    const { request } = run;
    const stage = (name: Extract<RunEvent, { type: 'stage' }>['stage'], done: number, total: number) =>
      onEvent?.({ type: 'stage', stage: name, done, total });
    const config = parseRun(runFileOf(request), 'The run');
    const files = await platform.openFiles(request.model, { signal });
    let session: Session | null = null;
    try {
      const data = await openRunData(await platform.files(), config);
      const folder = await openModelFolder(files, signal);
      const progress = (loaded: number) => stage('load', loaded, folder.tensorBytes);
      session = await Session.open(folder, device, { signal, onProgress: ({ loadedBytes }) => progress(loadedBytes) });
      const output = store.folder(run.id);
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
          adapter: null,
          output,
          resume: hasCheckpoint,
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

    planRun: async (request, options) => planRun(request, { platform, device: await host.device() }, options),

    async startRun(request, options = {}) {
      throwIfAborted(options.signal);
      const { steps } = parseRun(runFileOf(request), 'The run');
      const now = Date.now();
      const { title } = request;
      const id = newRunId();
      const run = { id, title, request, steps, step: 0, createdAt: now, changedAt: now, note: null, result: null };
      return go({ ...run, state: 'running' }, options);
    },

    async resumeRun(id, options = {}) {
      throwIfAborted(options.signal);
      const run = await (await openStore()).read(id);
      run.request = { ...run.request, run: { ...run.request.run, ...options.changes } };
      run.steps = parseRun(runFileOf(run.request), 'The run').steps;
      return go(run, options);
    },

    async deleteRun(id) {
      // Not under a tab that writes into it.
      const release = await locks.acquire(id);
      try {
        await (await openStore()).remove(id);
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
