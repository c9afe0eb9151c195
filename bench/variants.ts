/**
 * What the variants of the products of few rows take on this machine's GPU adapter (src/ops/few-rows-lines.ts), and what scales and biases
 * in pairs of halves bring: every product of a token of a decoder in a published model's shapes (random weights), in each variant in turn.
 *
 * `npx tsx bench/variants.ts [SHAPE] [LAYERS] [ROUNDS]`, e.g. `qwen-0.5b 24 5`.
 */
import * as tf from '@tensorflow/tfjs';
import { nodePlatform } from '../src/device/node.ts';
import { openDevice } from '../src/device/open-device.ts';
import { loadModel } from '../src/nvlm/load-model.ts';
import { stepProducts } from '../src/nvlm/step-products.ts';
import { defaultLines, LINES, sizeClass } from '../src/ops/few-rows-lines.ts';
import { pairSides } from '../src/ops/pair-sides.ts';
import { ProductTrial, type StepProducts } from '../src/ops/product-trial.ts';
import type { PlainWeight } from '../src/ops/types.ts';
import { openModelFolder } from '../src/weights/model-folder.ts';
import { nodeFiles } from '../src/weights/node-files.ts';

import { printReport, type Measurement } from './report.ts';
import { decoderJson, withSyntheticDecoder } from './synthetic-decoder.ts';

const [shape = 'qwen-0.5b', layers = '2', count = '5'] = process.argv.slice(2);
const rounds = Number(count);
const json = decoderJson(shape, Number(layers));
const device = await openDevice('webgpu', nodePlatform());
const about = { unit: 'ms', adapter: device.info.adapter, backend: device.info.backend };
const measurements: Measurement[] = [];

await withSyntheticDecoder(json, async (folder) => {
  for (const bits of [16, 4] as const) {
    const quantize = bits === 4 ? ({ bits, groupSize: 64 } as const) : undefined;
    const model = await loadModel(await openModelFolder(nodeFiles(folder)), { keepHalves: true, quantize });
    for (const products of stepProducts(model)) {
      const forms = bits === 4 ? { 'scales and biases f32': products, 'in pairs of halves': paired(products) } : { '': products };
      const trials = Object.entries(forms).map(([form, one]) => ({ form, trial: new ProductTrial(one, device) }));
      const samples = new Map<string, number[]>();
      // The first of each compiles its program.
      for (let round = -1; round < rounds; round++) {
        for (const { form, trial } of trials) {
          for (const lines of LINES) {
            const ms = await trial.time(lines);
            const isDefault = lines === defaultLines(products.op, products.shape);
            const name = [sizeClass(products.op, products.shape), form, `${lines} lines${isDefault ? ', the default' : ''}`];
            const key = name.filter(Boolean).join(', ');
            samples.set(key, [...(samples.get(key) ?? []), ...(round < 0 ? [] : [ms])]);
          }
        }
      }
      for (const { trial } of trials) trial.dispose();
      for (const [name, list] of samples)
        measurements.push({ ...about, name: `${name}, ${products.instances.length} a token`, samples: list });
      process.stderr.write(`${bits} bits, ${sizeClass(products.op, products.shape)}\n`);
    }
    model.dispose();
  }
});
await device.dispose();
printReport(...measurements);
process.exit(0);

/** The same words with other scales and biases, for which time does not care. */
function paired(products: StepProducts): StepProducts {
  const withPairs = (weight: PlainWeight): PlainWeight => {
    if (weight.kind !== 'affine' || !weight.scales) return weight;
    const { scales, biases: _, ...words } = weight;
    const half = tf.fill(scales.shape, 0.5) as tf.Tensor2D;
    return { ...words, pairs: pairSides(half, half) };
  };
  return { ...products, instances: products.instances.map((weights) => weights.map(withPairs)) };
}
