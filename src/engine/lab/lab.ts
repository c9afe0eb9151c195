import { NvlmError } from '../../errors.ts';
import { openModelFolder } from '../../weights/model-folder.ts';
import type { EnginePlatform } from '../platform.ts';
import type { TrainingHost } from '../runs/runs.ts';
import { cellsOf, type LabChoice } from './cells.ts';
import type { Experiment } from './experiment.ts';
import type { LabApi, LabView } from './lab-api.ts';
import { planExperiment } from './plan-experiment.ts';
import { collectCells, makeReport } from './report.ts';
import { reportFiles } from './report-files.ts';
import { reportSvg } from './report-svg.ts';
import { readCell, readCellRun, type LabHost } from './run-cell.ts';
import { runExperiment } from './run-experiment.ts';
import { shippedExperiments } from './shipped.ts';

/** The lab of one engine: its cells are ordinary runs of that engine. */
export function createLab(engine: LabHost['engine'], platform: EnginePlatform, takeAlone: TrainingHost['alone']): LabApi {
  async function openHost(): Promise<LabHost> {
    return {
      engine,
      files: await platform.files(),
      alone: (signal, work) =>
        takeAlone(signal, async (device) => {
          const open = async (id: string) => openModelFolder(await platform.openFiles({ kind: 'bundled', id }, { signal }), signal);
          return work(device, open);
        }),
    };
  }

  function find(name: string): Experiment {
    const experiment = shippedExperiments().find((one) => one.name === name);
    if (experiment) return experiment;
    throw new NvlmError('not-found', `There is no experiment "${name}".`, 'Choose one of the list.');
  }

  async function read(experiment: Experiment, choice: LabChoice): Promise<LabView> {
    const files = await platform.files();
    const results = await collectCells([files], experiment, choice);
    const cells = await Promise.all(
      cellsOf(experiment, choice).map(async (cell) => ({
        ...cell,
        run: await readCellRun(files, experiment, choice, cell),
        isDone: (await readCell(files, experiment, choice, cell)) !== null,
      })),
    );
    const report = results.length > 0 ? makeReport(experiment, choice, results) : null;
    return { experiment: experiment.name, cells, results, report, picture: report && reportSvg(experiment, report) };
  }

  return {
    labExperiments: async () => shippedExperiments(),
    planLab: async (name, choice, options) => planExperiment(await openHost(), await platform.files(), find(name), choice, options),
    async runLab(name, choice, options) {
      await runExperiment(await openHost(), find(name), choice, options);
    },
    readLab: async (name, choice) => read(find(name), choice),
    async exportLab(name, choice) {
      const experiment = find(name);
      const results = await collectCells([await platform.files()], experiment, choice);
      const files = reportFiles(experiment, makeReport(experiment, choice, results), results);
      return files.map(({ path, text }) => ({ path, bytes: new TextEncoder().encode(text) }));
    },
  };
}
