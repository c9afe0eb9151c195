import type { Experiment, ExperimentEvent, LabCell, LabChoice, LabPlan, LabView } from '../../engine/lab/lab-api.ts';
import { toPlainError, type PlainError } from '../../errors.ts';
import type { SliceTools } from './app-state.ts';

/** The experiment that this tab runs. */
export interface LabLive {
  experiment: string;
  choice: LabChoice;
  cell: LabCell | null;
  doneCells: number;
  cells: number;
  /** What its cell does, in words, and how much of it is done. */
  stage: string;
  done: number;
  total: number;
  pausing: boolean;
}

export interface LabSlice {
  /** null until they were asked for. */
  labExperiments: Experiment[] | null;
  /** What is chosen, and what of it is known; `labPlan` follows by itself. */
  labView: LabView | null;
  labPlan: LabPlan | null;
  labLive: LabLive | null;
  /** Losses of the cell under way. */
  labLosses: number[];
  labError: PlainError | null;
  openLab(experiment: string | null, choice: LabChoice): Promise<void>;
  /** Ends when all cells are done, or it was paused; never rejects: see `labError`. */
  startLab(experiment: string, choice: LabChoice): Promise<void>;
  pauseLab(): void;
}

/** As for a run: more is not seen. */
const SHOW_EVERY_MS = 200;

const STAGES: Record<string, string> = {
  load: 'loading the model',
  data: 'reading the data',
  baseline: 'asking before training',
  train: 'training',
  samples: 'asking',
  save: 'saving',
};

export function createLabSlice({ set, get, engine, now }: SliceTools): LabSlice {
  let controller: AbortController | null = null;
  let planning: AbortController | null = null;
  let shownAt = 0;

  function hear(event: ExperimentEvent): void {
    const { labLive } = get();
    if (!labLive) return;
    if (event.type === 'cell') {
      const { cell, doneCells, cells } = event;
      set({ labLive: { ...labLive, cell, doneCells: doneCells, cells, stage: 'beginning', done: 0, total: 0 }, labLosses: [] });
      if (event.state === 'done') {
        get().announce(`${doneCells} of ${cells} runs done.`);
        void refresh(labLive);
      }
      return;
    }
    const inside = event.event;
    if (inside.type === 'step') get().labLosses.push(inside.step.loss);
    const patch = progressOf(inside);
    if (!patch || (now() - shownAt < SHOW_EVERY_MS && patch.done !== patch.total)) return;
    shownAt = now();
    set({ labLive: { ...labLive, ...patch }, labLosses: [...get().labLosses] });
  }

  async function refresh({ experiment, choice }: Pick<LabLive, 'experiment' | 'choice'>): Promise<void> {
    const view = await engine.readLab(experiment, choice);
    if (get().labView?.experiment === experiment) set({ labView: view });
  }

  return {
    labExperiments: null,
    labView: null,
    labPlan: null,
    labLive: null,
    labLosses: [],
    labError: null,
    async openLab(experiment, choice) {
      planning?.abort();
      const mine = (planning = new AbortController());
      set({ labView: null, labPlan: null, labError: null });
      try {
        if (!get().labExperiments) set({ labExperiments: await engine.labExperiments() });
        if (experiment === null || mine.signal.aborted) return;
        const view = await engine.readLab(experiment, choice);
        if (mine.signal.aborted) return;
        set({ labView: view });
        const plan = await engine.planLab(experiment, choice, { signal: mine.signal });
        if (!mine.signal.aborted) set({ labPlan: plan });
      } catch (error) {
        if (!mine.signal.aborted) set({ labError: toPlainError(error) });
      }
    },
    async startLab(experiment, choice) {
      if (controller) return;
      controller = new AbortController();
      get().stopAnswer();
      set({
        labError: null,
        labLosses: [],
        labLive: { experiment, choice, cell: null, doneCells: 0, cells: 0, stage: 'beginning', done: 0, total: 0, pausing: false },
      });
      try {
        await engine.runLab(experiment, choice, { signal: controller.signal, onEvent: hear });
        get().announce('The experiment is done.');
      } catch (error) {
        const plain = toPlainError(error);
        if (plain.code !== 'cancelled') set({ labError: plain });
        get().noticeLoss(plain);
      }
      controller = null;
      set({ labLive: null });
      await refresh({ experiment, choice }).catch((error: unknown) => set({ labError: toPlainError(error) }));
      await get().refreshRuns();
      await get().checkLoadedModel();
    },
    pauseLab() {
      const { labLive } = get();
      if (!labLive || !controller) return;
      set({ labLive: { ...labLive, pausing: true } });
      controller.abort();
    },
  };
}

type Inside = Extract<ExperimentEvent, { type: 'inside' }>['event'];

function progressOf(event: Inside): Pick<LabLive, 'stage' | 'done' | 'total'> | null {
  if (event.type === 'data') return { stage: 'drawing pictures', done: event.done, total: event.total };
  if (event.type === 'measured') return { stage: 'measuring numbers of tiles', done: event.done, total: event.total };
  if (event.type === 'stage') return { stage: STAGES[event.stage] ?? event.stage, done: event.done, total: event.total };
  if (event.type === 'step') return { stage: 'training', done: event.step.step + 1, total: 0 };
  return null;
}
