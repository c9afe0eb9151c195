/** What the page asks of the lab: experiments on the runs of this browser. All of it is plain data. */
import type { CallOptions } from '../api.ts';
import type { ExportedFile } from '../runs/training-api.ts';
import type { LabCell, LabChoice } from './cells.ts';
import type { Experiment } from './experiment.ts';
import type { LabPlan } from './plan-experiment.ts';
import type { LabReport } from './report.ts';
import type { CellResult } from './run-cell.ts';
import type { ExperimentEvent } from './run-experiment.ts';

export type { CellResult, Experiment, ExperimentEvent, LabCell, LabChoice, LabPlan, LabReport };

/** How far an experiment is in this browser, and what came of it. */
export interface LabView {
  experiment: string;
  cells: (LabCell & { run: string | null; isDone: boolean })[];
  results: CellResult[];
  /** null until a cell is done. */
  report: LabReport | null;
  /** The report's picture: an SVG file. */
  picture: string | null;
}

export interface LabApi {
  labExperiments(): Promise<Experiment[]>;
  /** Reads configuration, headers and a few records; nothing is trained. */
  planLab(experiment: string, choice: LabChoice, options?: CallOptions): Promise<LabPlan>;
  /**
   * Runs the cells that are not done, which takes the device; the signal pauses it, and a later call goes on, after a reload too.
   *
   * @throws NvlmError `cancelled` when it was paused, `busy`, and what a run throws
   */
  runLab(experiment: string, choice: LabChoice, options?: CallOptions & { onEvent?: (event: ExperimentEvent) => void }): Promise<void>;
  readLab(experiment: string, choice: LabChoice): Promise<LabView>;
  /** The report's files. @throws NvlmError `not-found` before a cell is done */
  exportLab(experiment: string, choice: LabChoice): Promise<ExportedFile[]>;
}
