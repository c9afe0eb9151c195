import { watchPeakBytes } from '../../device/peak-bytes.ts';
import { deviceBytes } from '../../device/tensor-memory.ts';
import type { Device } from '../../device/types.ts';
import { parseRecords } from '../../datasets/llava.ts';
import { throwIfAborted } from '../../errors.ts';
import { encodePng } from '../../tiling/encode-png.ts';
import { toPixelValues } from '../../tiling/pixel-values.ts';
import type { RgbImage } from '../../tiling/types.ts';
import { parseRun } from '../../training/run-config.ts';
import { Trainer, type TrainingSample } from '../../training/trainer.ts';
import { configOf } from '../../nvlm/parse-config.ts';
import { openModelFolder, type ModelFolder } from '../../weights/model-folder.ts';
import type { CallOptions } from '../api.ts';
import { Session } from '../chat/session.ts';
import { openTextSide } from '../chat/text-side.ts';
import { geometryOfModel } from '../inspect/geometries.ts';
import { inspectPicture } from '../inspect/inspect.ts';
import { syntheticSource } from '../models/synthetic-source.ts';
import { measureModel } from '../measure/measure.ts';
import { planExamples, tileForModel } from '../runs/plan-examples.ts';
import { modelOf, scaleNameOf, scaleOf, tilesOf, type LabCell, type LabChoice } from './cells.ts';
import type { EfficiencyExperiment } from './experiment.ts';
import { writeCell, type CellResult, type LabEvent, type LabHost } from './run-cell.ts';
import { meanOf } from './statistics.ts';

const NEW_TOKENS = 16;
const BATCH = 2;
/** The first run and the first step compile. */
const WARM_UPS = 1;
const PROMPT = 'Read everything.';
const ANSWER = 'There is nothing.';

/**
 * What one architecture takes at every number of tiles: a training step, prefill, decode, memory, and the tokens and bytes of
 * cache that the inspector counts. Means of the scale's steps; a seed is one more sitting.
 */
export async function runEfficiencyCell(
  host: LabHost,
  experiment: EfficiencyExperiment,
  choice: LabChoice,
  cell: LabCell,
  { signal, onEvent }: CallOptions & { onEvent?: (event: LabEvent) => void } = {},
): Promise<CellResult> {
  const measured = modelOf(experiment, choice, cell.level);
  const { steps } = scaleOf(experiment, choice);
  const counts = tilesOf(experiment, choice);
  const begin = performance.now();
  return host.alone(signal, async (device, open) => {
    const metrics: Record<string, number> = {};
    for (const [i, tiles] of counts.entries()) {
      throwIfAborted(signal);
      onEvent?.({ type: 'measured', done: i, total: counts.length });
      const isReal = 'shape' in measured;
      const folder = isReal ? await openModelFolder(syntheticSource(measured.shape, measured), signal) : await open(measured.model);
      const measure = isReal ? measureAnswering : measureAll;
      // Tokens and cache are counted of all layers, however many are run.
      const whole = isReal ? await openModelFolder(syntheticSource(measured.shape), signal) : folder;
      const values = { ...(await measure(folder, device, tiles, steps, { signal })), ...countsOf(whole, tiles) };
      for (const [name, value] of Object.entries(values)) metrics[`${name}, ${tiles} ${tiles === 1 ? 'tile' : 'tiles'}`] = value;
    }
    const { backend, adapter } = device.info;
    const result: CellResult = {
      experiment: experiment.name,
      scale: scaleNameOf(experiment, choice),
      level: cell.level,
      seed: cell.seed,
      run: null,
      backend,
      adapter: adapter && (adapter.description || adapter.device || adapter.vendor),
      seconds: Math.round(performance.now() - begin) / 1000,
      metrics,
      losses: [],
      rounds: [],
      answers: [],
    };
    await writeCell(host.files, experiment, choice, cell, result);
    return result;
  });
}

async function measureAll(
  folder: ModelFolder,
  device: Device,
  tiles: number,
  runs: number,
  options: CallOptions,
): Promise<Record<string, number>> {
  // Before training: the memory of wasm never shrinks.
  const answering = await measureAnswering(folder, device, tiles, runs, options, WARM_UPS);
  const { stepMs, peakBytes } = await measureTraining(folder, device, pictureFor(folder, tiles), tiles, runs);
  return {
    'training step, ms': meanOf(stepMs),
    'samples/s in training': (1000 * BATCH) / meanOf(stepMs),
    'memory of training beyond the model, bytes': peakBytes,
    ...answering,
  };
}

/** @param warmUps none where one answer takes minutes: what the first run compiles is little beside that */
async function measureAnswering(
  folder: ModelFolder,
  device: Device,
  tiles: number,
  runs: number,
  { signal }: CallOptions,
  warmUps = 0,
): Promise<Record<string, number>> {
  const picture = pictureFor(folder, tiles);
  const request = { picture, prompt: PROMPT, newTokens: NEW_TOKENS, maxTiles: tiles, runs, warmUps };
  const measured = await measureModel(folder, device, request, { signal });
  return {
    'vision, ms': meanOf(measured.visionMs),
    'prefill, ms': meanOf(measured.prefillMs),
    'decode, ms a token': meanOf(measured.decodeMs) / NEW_TOKENS,
    'memory in chat, bytes': measured.peakBytes,
  };
}

/** What the inspector counts for the same question. */
function countsOf(folder: ModelFolder, tiles: number): Record<string, number> {
  const geometry = geometryOfModel({ id: 'model', title: 'model', ...openTextSide(folder) });
  const { costs, geometry: of } = inspectPicture(pictureFor(folder, tiles), geometry, { maxTiles: tiles, prompt: PROMPT });
  const cost = costs[of.architecture]!;
  return {
    'decoder tokens': cost.decoderTokens,
    'cross-attention tokens': cost.crossAttentionTokens,
    'KV cache, bytes in f16': cost.kvBytes,
  };
}

/** A step of SFT, all but the vision encoder trained; the features of the frozen encoder are there, as in a run's later epochs. */
async function measureTraining(folder: ModelFolder, device: Device, picture: RgbImage, maxTiles: number, steps: number) {
  const session = await Session.open(folder, device);
  const run = parseRun(
    {
      model: 'model',
      data: 'lab',
      batch: BATCH,
      steps: WARM_UPS + steps,
      max_tiles: maxTiles,
      optimizer: { lr: 1e-6, schedule: 'constant' },
    },
    'lab',
  );
  const before = deviceBytes();
  const watch = watchPeakBytes();
  const trainer = await Trainer.create(session.model, run, device);
  const image = await encodePng(picture);
  const tiling = await tileForModel(session.model, image, maxTiles);
  const features = trainer.prepareImage(toPixelValues(tiling.tiles.map((tile) => tile.pixels)), tiling.tiles.length);
  try {
    const text = session.requireText();
    const { examples } = await planExamples(text, recordsOf(BATCH), async () => image, { maxTiles });
    const batch: TrainingSample[] = examples.map(({ plan }) => ({ plan, image: features }));
    const stepMs: number[] = [];
    for (let step = 0; step < run.steps; step++) {
      const start = performance.now();
      await trainer.step(step, [batch]);
      if (step >= WARM_UPS) stepMs.push(performance.now() - start);
    }
    return { stepMs, peakBytes: watch.peak - before };
  } finally {
    watch.stop();
    features.dispose();
    trainer.dispose();
    session.dispose();
  }
}

function recordsOf(count: number) {
  const rows = Array.from({ length: count }, (_, i) => ({
    id: String(i),
    image: 'picture.png',
    conversations: [
      { from: 'human', value: `<image>\n${PROMPT}` },
      { from: 'gpt', value: ANSWER },
    ],
  }));
  return parseRecords(JSON.stringify(rows)).records;
}

/** A picture that is cut into exactly so many tiles in a row. */
function pictureFor(folder: ModelFolder, tiles: number): RgbImage {
  const tileSize = configOf(folder).tileSize;
  const [width, height] = [tiles * tileSize, tileSize];
  return { width, height, data: new Uint8Array(3 * width * height).fill(240) };
}
