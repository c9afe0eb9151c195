import * as tf from '@tensorflow/tfjs';
import type { BackendChoice } from '../../../src/device/types.ts';
import type { RunEvent, RunRecord, RunStep, RunSummary } from '../../../src/engine/runs/training-api.ts';
import { toPlainError, type PlainError } from '../../../src/errors.ts';
import { checkFolderContract } from '../../../src/files/folder-contract.ts';
import { openPageFolder } from '../../../src/files/open-folder.ts';
import { subfolder } from '../../../src/files/subfolder.ts';
import { engine } from './engine.ts';

export interface TrainOptions {
  /** A run to go on with; else one is started. */
  id?: string;
  backend: BackendChoice;
  steps: number;
  /** Loses the device after so many steps of this call. */
  loseAfter?: number;
  /** Rows with pictures are left out. */
  textOnly: boolean;
}

interface Outcome {
  summary: RunSummary | null;
  error: PlainError | null;
  /** Steps of this call. */
  taken: RunStep[];
}

export const trainingJobs = {
  /** Holds the browser's private storage to the contract of a folder. */
  async folderContract(): Promise<void> {
    await checkFolderContract(subfolder(await openPageFolder(), 'contract'));
  },

  /** Trains an adapter on the goldens' records, or goes on with it. */
  async train({ id, backend, steps, loseAfter, textOnly }: TrainOptions): Promise<Outcome> {
    const info = await engine.device().catch(() => null);
    if (id === undefined || info?.backend !== backend) await engine.openDevice(backend);
    const taken: RunStep[] = [];
    const onEvent = (event: RunEvent) => {
      if (event.type !== 'step') return;
      taken.push(event.step);
      if (taken.length === loseAfter) (tf.backend() as unknown as { device: GPUDevice }).device.destroy();
    };
    try {
      if (id !== undefined) return { summary: await engine.resumeRun(id, { onEvent }), error: null, taken };
      await keepDataset(textOnly);
      const lora = { rank: 2, alpha: 4, dropout: 0.2, targets: ['q_proj'] };
      const run = { data: 'goldens', lora, steps, seed: 5, checkpoint_every: 2 };
      const model = { kind: 'url' as const, url: new URL('/nvlm-d/', location.origin).href };
      const rest = { sampleEvery: 0, samples: 0, heldOutEvery: 0 };
      return { summary: await engine.startRun({ title: 'Test', model, run, ...rest }, { onEvent }), error: null, taken };
    } catch (error) {
      return { summary: null, error: toPlainError(error), taken };
    }
  },

  /** All runs, the newest first, with their logs. */
  async runRecords(): Promise<RunRecord[]> {
    return Promise.all((await engine.runs()).map(({ id }) => engine.readRun(id)));
  },
};

async function keepDataset(textOnly: boolean): Promise<void> {
  const folder = subfolder(await openPageFolder(), 'datasets/goldens');
  const bytesAt = async (path: string) => new Uint8Array(await (await fetch(new URL(`/data/${path}`, location.origin))).arrayBuffer());
  const rows = JSON.parse(new TextDecoder().decode(await bytesAt('data.json'))) as { image?: string }[];
  const kept = rows.filter(({ image }) => !textOnly || image === undefined);
  for (const { image } of kept) if (image !== undefined) await folder.write(image, await bytesAt(image));
  await folder.write('data.json', new TextEncoder().encode(JSON.stringify(kept)));
}
