import type { ModelSource } from '../../engine/api.ts';
import type { RunChanges, RunEvent, RunRequest, RunSummary, TrainingPlan } from '../../engine/runs/training-api.ts';
import { toPlainError, type PlainError } from '../../errors.ts';
import { RunHistory } from '../finetune/run/run-history.ts';
import { DEFAULT_FORM, type RunForm } from '../finetune/setup/run-form.ts';
import type { SliceTools } from './app-state.ts';

type Stage = Extract<RunEvent, { type: 'stage' }>;

/** A run on show: the one that this tab computes, or one that lies in storage. */
export interface RunView {
  /** null until the engine has named it. */
  summary: RunSummary | null;
  request: RunRequest;
  /** Grows in place; `version` tells when. */
  history: RunHistory;
  version: number;
  stage: Stage | null;
  etaSeconds: number | null;
  /** When it was last heard of, by the page's clock. */
  movedAt: number;
  problems: { id: string; reason: string }[];
  activity: 'running' | 'pausing' | 'none';
  error: PlainError | null;
}

export interface FinetuneSlice {
  runForm: RunForm;
  changeRunForm(patch: Partial<RunForm>): void;
  /** null until they were asked for. */
  runs: RunSummary[] | null;
  runsError: PlainError | null;
  refreshRuns(): Promise<void>;
  /** The run of this tab; it stays on show when it is over. */
  liveRun: RunView | null;
  /** A run read from storage. */
  storedRun: RunView | null;
  planTraining(request: RunRequest, signal: AbortSignal): Promise<TrainingPlan>;
  /** Ends when the run is finished, paused or failed; never rejects: see `liveRun.error`. */
  startRun(request: RunRequest): Promise<void>;
  /**
   * @param changes more steps for a finished run, a lower rate for one that diverged
   * @param model where its model lies now, for a run that `needsModel`
   */
  resumeRun(id: string, changes?: RunChanges, model?: ModelSource): Promise<void>;
  /** Leaves a checkpoint to go on from. */
  pauseRun(): void;
  openRun(id: string): Promise<void>;
  deleteRun(id: string): Promise<void>;
  renameRun(id: string, title: string): Promise<void>;
}

/** Charts and figures follow a run this often; more is not seen, and costs the page its calm. */
const SHOW_EVERY_MS = 100;

export function isTraining({ liveRun }: Pick<FinetuneSlice, 'liveRun'>): boolean {
  return liveRun !== null && liveRun.activity !== 'none';
}

export function createFinetuneSlice({ set, get, engine, preferences, now }: SliceTools): FinetuneSlice {
  let controller: AbortController | null = null;
  let timer: ReturnType<typeof setTimeout> | null = null;
  /** What came since the page was last drawn. */
  let waiting: Partial<RunView> = {};

  /** Events come one a step; the page hears of all that came within a moment at once. */
  function later(patch: Partial<RunView>): void {
    Object.assign(waiting, patch);
    timer ??= setTimeout(show, SHOW_EVERY_MS);
  }

  function show(patch: Partial<RunView> = {}): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    const { liveRun } = get();
    if (liveRun) set({ liveRun: { ...liveRun, ...waiting, ...patch, version: liveRun.version + 1 } });
    waiting = {};
  }

  function hear(event: RunEvent, { history }: RunView): void {
    switch (event.type) {
      case 'run':
        show({ summary: event.summary });
        void get().refreshRuns();
        break;
      case 'stage':
        if (event.stage !== 'save' && event.done === 0) get().announce(MILESTONES[event.stage]);
        later({ stage: event, movedAt: now() });
        break;
      case 'problems':
        later({ problems: event.problems });
        break;
      case 'step':
        history.addStep(event.step);
        later({ etaSeconds: event.etaSeconds, movedAt: now() });
        break;
      case 'sample':
        history.addSample(event.sample);
        later({});
        break;
    }
  }

  async function follow(
    view: RunView,
    work: (options: { signal: AbortSignal; onEvent: (event: RunEvent) => void }) => Promise<RunSummary>,
  ): Promise<void> {
    if (isTraining(get())) return;
    controller = new AbortController();
    get().stopAnswer();
    set({ liveRun: view });
    try {
      const summary = await work({ signal: controller.signal, onEvent: (event) => hear(event, view) });
      show({ summary, activity: 'none', stage: null, error: null });
      get().announce(summary.state === 'finished' ? 'The run is finished.' : `Paused at step ${summary.step} of ${summary.steps}.`);
    } catch (error) {
      const plain = toPlainError(error);
      show({ activity: 'none', stage: null, error: plain.code === 'cancelled' ? null : plain });
      get().noticeLoss(plain);
    }
    controller = null;
    await get().refreshRuns();
    const { liveRun, runs } = get();
    const fresh = runs?.find(({ id }) => id === liveRun?.summary?.id);
    if (liveRun && fresh) set({ liveRun: { ...liveRun, summary: fresh } });
    // The engine has let go of the model before it trained.
    await get().checkLoadedModel();
  }

  return {
    runForm: { ...DEFAULT_FORM, ...preferences.read('run', isRunForm) },
    changeRunForm(patch) {
      const runForm = { ...get().runForm, ...patch };
      preferences.write('run', runForm);
      set({ runForm });
    },
    runs: null,
    runsError: null,
    async refreshRuns() {
      try {
        const runs = await engine.runs();
        set({ runs: runs.sort((a, b) => b.changedAt - a.changedAt), runsError: null });
      } catch (error) {
        set({ runsError: toPlainError(error) });
      }
    },
    liveRun: null,
    storedRun: null,
    planTraining: (request, signal) => engine.planRun(request, { signal }),
    startRun: (request) => follow(view(request, null, new RunHistory()), (options) => engine.startRun(request, options)),
    async resumeRun(id, changes, model) {
      if (isTraining(get())) return;
      await get().openRun(id);
      const { storedRun, liveRun } = get();
      const before = storedRun?.summary?.id === id ? storedRun : liveRun;
      if (before?.summary?.id !== id) return;
      await follow(view(before.request, before.summary, before.history), (options) => engine.resumeRun(id, { ...options, changes, model }));
    },
    pauseRun() {
      if (!controller || controller.signal.aborted) return;
      show({ activity: 'pausing' });
      controller.abort();
    },
    async openRun(id) {
      if (get().liveRun?.summary?.id === id) return;
      try {
        const { summary, log, samples } = await engine.readRun(id);
        const read = view(summary.request, summary, RunHistory.of(log, samples));
        set({ storedRun: { ...read, activity: 'none' }, runsError: null });
      } catch (error) {
        set({ storedRun: null, runsError: toPlainError(error) });
      }
    },
    async deleteRun(id) {
      try {
        await engine.deleteRun(id);
        const { liveRun, storedRun } = get();
        set({
          ...(liveRun?.summary?.id === id && { liveRun: null }),
          ...(storedRun?.summary?.id === id && { storedRun: null }),
        });
      } catch (error) {
        set({ runsError: toPlainError(error) });
      }
      await get().refreshRuns();
    },
    async renameRun(id, title) {
      try {
        const summary = await engine.renameRun(id, title);
        const { liveRun, storedRun } = get();
        if (liveRun?.summary?.id === id) set({ liveRun: { ...liveRun, summary } });
        if (storedRun?.summary?.id === id) set({ storedRun: { ...storedRun, summary } });
      } catch (error) {
        set({ runsError: toPlainError(error) });
      }
      await get().refreshRuns();
    },
  };
}

/** Read out; steps are not. */
const MILESTONES: Record<Exclude<Stage['stage'], 'save'>, string> = {
  load: 'Loading the model.',
  data: 'Reading the data.',
  baseline: 'Asking the base model first.',
  train: 'Training has begun.',
  samples: 'Answering the sample questions.',
};

function view(request: RunRequest, summary: RunSummary | null, history: RunHistory): RunView {
  return {
    request,
    summary,
    history,
    version: 0,
    stage: null,
    etaSeconds: null,
    movedAt: 0,
    problems: [],
    activity: 'running',
    error: null,
  };
}

/** What a setting of words may be. */
const CHOICES: Partial<Record<keyof RunForm, readonly unknown[]>> = {
  method: ['lora', 'connector', 'cross-attention', 'decoder'],
  schedule: ['cosine', 'linear', 'constant'],
  baseBits: ['stored', '8', '4'],
  groupSize: ['32', '64', '128'],
};

/** Stored by an older or a tampered page: each value has the kind that it should have, or all are dropped. */
function isRunForm(value: unknown): value is Partial<RunForm> {
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).every(
    ([name, entry]) =>
      Object.hasOwn(DEFAULT_FORM, name) &&
      typeof entry === typeof DEFAULT_FORM[name as keyof RunForm] &&
      Array.isArray(entry) === Array.isArray(DEFAULT_FORM[name as keyof RunForm]) &&
      entry !== null &&
      (CHOICES[name as keyof RunForm]?.includes(entry) ?? true) &&
      (name !== 'model' || typeof (entry as { kind?: unknown }).kind === 'string'),
  );
}
