/**
 * A model that is larger than the device may hold: seconds a forward pass with its weights on disk, and the most that was on the
 * device meanwhile, weights, cache and activations together.
 *
 * `npx tsx bench/offload.ts FOLDER [BUDGET_MB] [BACKEND] [RUNS]`, e.g. with a folder from `npx nvlm synth --like internvl2_5-1b`
 */
import { openDevice } from '../src/device/open-device.ts';
import { nodePlatform } from '../src/device/node.ts';
import { deviceBytes } from '../src/device/tensor-memory.ts';
import type { BackendChoice } from '../src/device/types.ts';
import { parseConfig } from '../src/nvlm/config.ts';
import { loadModel } from '../src/nvlm/load-model.ts';
import { weightsNeed } from '../src/nvlm/memory-need.ts';
import { openModelFolder } from '../src/weights/model-folder.ts';
import { nodeFiles } from '../src/weights/node-files.ts';
import { milliseconds, printReport, sample } from './report.ts';

const TOKENS = 16;

const [path, budget = '800', backend = 'wasm', runs = '1'] = process.argv.slice(2);
if (!path) throw new Error('Name a checkpoint folder.');
const budgetBytes = Number(budget) * 1e6;
const device = await openDevice(backend as BackendChoice, nodePlatform());
const folder = await openModelFolder(nodeFiles(path));
const keepHalves = device.info.backend === 'webgpu';
const need = weightsNeed(folder, parseConfig(folder.config), { keepHalves }).bytes;
const model = await loadModel(folder, { keepHalves, offload: { budgetBytes } });

let peak = 0;
const { weights } = model;
const apply = weights.apply.bind(weights);
weights.apply = (name, x) => {
  const result = apply(name, x);
  peak = Math.max(peak, deviceBytes());
  return result;
};
const plan = {
  inputIds: Int32Array.from({ length: TOKENS }, (_, i) => 100 + i),
  crossMask: new Uint8Array(0),
  crossTiles: [],
  crossTagIds: [],
  sequenceTiles: [],
};
const samples = await sample(
  Number(runs),
  async () =>
    (await milliseconds(async () => {
      const logits = model.prefill([{ plan, features: null }], null, 'last');
      await device.read(logits);
      logits.dispose();
    })) / 1000,
  0,
);
const { adapter, backend: opened } = device.info;
const where = { adapter, backend: opened };
const size = (need / 1e6).toFixed(0);
printReport(
  { name: `offload: ${TOKENS} tokens through ${size} MB of weights, budget ${budget} MB`, unit: 's', samples, ...where },
  { name: 'offload: peak on the device', unit: 'MB', samples: [peak / 1e6], ...where },
  { name: 'offload: resident memory of the process at its peak', unit: 'MB', samples: [process.resourceUsage().maxRSS / 1e3], ...where },
);
model.dispose();
await device.dispose();
// Dawn keeps the process alive for as long as its instance lives.
process.exit(0);
