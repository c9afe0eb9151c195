import { throwIfAborted } from '../../errors.ts';
import type { CallOptions } from '../api.ts';
import { cellsOf, type LabCell, type LabChoice } from './cells.ts';
import type { Experiment } from './experiment.ts';
import { runEfficiencyCell } from './efficiency.ts';
import { readCell, runTrainingCell, type CellResult, type LabEvent, type LabHost } from './run-cell.ts';

/** What happens, and in which cell; `cell` of an event of its own when one is begun and when it is done. */
export type ExperimentEvent =
  | { type: 'cell'; cell: LabCell; state: 'begun' | 'done'; doneCells: number; cells: number }
  | { type: 'inside'; cell: LabCell; event: LabEvent };

/** One cell to its end; at once when it is done already. */
export async function runCell(
  host: LabHost,
  experiment: Experiment,
  choice: LabChoice,
  cell: LabCell,
  options: CallOptions & { onEvent?: (event: LabEvent) => void } = {},
): Promise<CellResult> {
  const known = await readCell(host.files, experiment, choice, cell);
  if (known) return known;
  return experiment.kind === 'training'
    ? runTrainingCell(host, experiment, choice, cell, options)
    : runEfficiencyCell(host, experiment, choice, cell, options);
}

/**
 * All cells, one after the other, those that are done left out. Stopped or killed it goes on where it was.
 *
 * @throws NvlmError `cancelled`, and what a cell throws
 */
export async function runExperiment(
  host: LabHost,
  experiment: Experiment,
  choice: LabChoice,
  { signal, onEvent }: CallOptions & { onEvent?: (event: ExperimentEvent) => void } = {},
): Promise<CellResult[]> {
  const cells = cellsOf(experiment, choice);
  const results: CellResult[] = [];
  for (const cell of cells) {
    throwIfAborted(signal);
    onEvent?.({ type: 'cell', cell, state: 'begun', doneCells: results.length, cells: cells.length });
    results.push(await runCell(host, experiment, choice, cell, { signal, onEvent: (event) => onEvent?.({ type: 'inside', cell, event }) }));
    onEvent?.({ type: 'cell', cell, state: 'done', doneCells: results.length, cells: cells.length });
  }
  return results;
}
