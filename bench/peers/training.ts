/**
 * A training step of a small Llama-type decoder (width 192, 4 layers, 6 heads of 32, SwiGLU 512, 659 tokens), all of it trained with
 * AdamW on 4 sequences of 64 tokens: nvlm on wasm beside jax-js on wasm, in the same process, from the same weights.
 *
 * `npx tsx bench/peers/training.ts [RUNS] [BATCH] [LENGTH]` after `npm ci --prefix bench/peers`
 */
import { join } from 'node:path';
import { nodePlatform } from '../../src/device/node.ts';
import { openDevice } from '../../src/device/open-device.ts';
import { loadModel } from '../../src/nvlm/load-model.ts';
import { parseRun } from '../../src/training/run-config.ts';
import { Trainer, type TrainingSample } from '../../src/training/trainer.ts';
import { openModelFolder } from '../../src/weights/model-folder.ts';
import { nodeFiles } from '../../src/weights/node-files.ts';
import { withSyntheticDecoder } from '../synthetic-decoder.ts';
import { openJaxTrainer } from './jax-trainer.ts';
import { measurePairs, timed } from './pairs.ts';

const [runs = '7', batch = '4', length = '64'] = process.argv.slice(2);
const SHAPE = {
  hidden_size: 192,
  intermediate_size: 512,
  num_hidden_layers: 4,
  num_attention_heads: 6,
  num_key_value_heads: 6,
  vocab_size: 659,
};
const ADAMW = { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8 } as const;
/** Of the losses of the steps that are compared. */
const MOST_DIFFERENCE = 1e-3;
const COMPARED = 3;

const config = {
  ...SHAPE,
  model_type: 'llama',
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  max_position_embeddings: 512,
  tie_word_embeddings: true,
};
const device = await openDevice('wasm', nodePlatform({ threads: 1 }));
const ids = Array.from({ length: Number(batch) }, (_, b) =>
  Int32Array.from({ length: Number(length) }, (_, t) => (37 * b + 11 * t * t + t) % SHAPE.vocab_size),
);
const { model, peer } = await withSyntheticDecoder(config, async (folder) => ({
  model: await loadModel(await openModelFolder(nodeFiles(folder)), { keepHalves: false }),
  peer: await openJaxTrainer(join(folder, 'model.safetensors'), config, ADAMW, ids),
}));

const run = parseRun(
  {
    model: 'bench',
    data: 'bench',
    trainable: ['language_model'],
    batch: Number(batch),
    steps: 10_000,
    optimizer: { ...ADAMW, schedule: 'constant', weight_decay: 0, clip: 0 },
  },
  'bench',
);
const trainer = await Trainer.create(model, run, device);
const samples = ids.map((inputIds): TrainingSample => {
  const plan = { inputIds, labels: inputIds, crossMask: new Uint8Array(), crossTiles: [], crossTagIds: [], sequenceTiles: [] };
  return { plan, image: null };
});
let steps = 0;
const ours = async () => (await trainer.step(steps++, [samples])).loss;

for (let step = 0; step < COMPARED; step++) {
  const [a, b] = [await ours(), await peer.step()];
  process.stderr.write(`losses ${a.toFixed(5)} and ${b.toFixed(5)}\n`);
  if (!(Math.abs(a - b) < MOST_DIFFERENCE * a))
    throw new Error(`The losses of step ${step} are ${a} and ${b}: this is not the same training.`);
}
await measurePairs(
  [
    {
      row: `training step, width 192, 4 layers, ${batch} × ${length} tokens, AdamW`,
      unit: 'ms',
      sides: ['nvlm', 'jax-js'],
      work: [() => timed(ours), () => timed(() => peer.step())],
    },
  ],
  Number(runs),
  { adapter: device.info.adapter, backend: device.info.backend },
);
await device.dispose();
process.exit(0);
