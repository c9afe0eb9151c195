/**
 * The vision encoder of InternVL2.5-1B (InternViT-300M, random weights, 2 layers) on one 448-pixel tile, wasm with one thread: nvlm
 * beside onnxruntime-web in the same process.
 *
 * `npx tsx bench/peers/vision.ts [RUNS] [KIND]` after `npm ci --prefix bench/peers`: KIND of the peer's weights, f32 or int8.
 */
import { existsSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { nodePlatform } from '../../src/device/node.ts';
import { openDevice } from '../../src/device/open-device.ts';
import { syntheticModelFiles } from '../../src/engine/models/synthesize.ts';
import { loadModel } from '../../src/nvlm/load-model.ts';
import { seededNumbers } from '../../src/numbers/random.ts';
import { openModelFolder } from '../../src/weights/model-folder.ts';
import { nodeFiles } from '../../src/weights/node-files.ts';
import { assertSame } from './assert-same.ts';
import type { OnnxKind } from './onnx-products.ts';
import { measurePairs, timed } from './pairs.ts';
import { openOrt } from './peer.ts';
import { cacheFolder } from './smollm2.ts';
import { visionOnnx } from './vision-onnx.ts';

const [runs = '5', kind = 'f32'] = process.argv.slice(2);
const LAYERS = 2;
const folder = `${cacheFolder}internvl2_5-1b-${LAYERS}/`;
await mkdir(folder, { recursive: true });
if (!existsSync(`${folder}config.json`)) {
  for (const { name, pieces } of syntheticModelFiles('internvl2_5-1b', 1, LAYERS).files) {
    const file = await open(`${folder}${name}`, 'w');
    for (const piece of pieces()) await file.writeFile(piece);
    await file.close();
  }
}

const device = await openDevice('wasm', nodePlatform({ threads: 1 }));
const model = await loadModel(await openModelFolder(nodeFiles(folder)), { keepHalves: true });
const vision = model.config.vision!;
const { ort, session } = await openOrt(await visionOnnx(folder, vision, kind as OnnxKind));

const side = vision.imageSize;
const random = seededNumbers(1);
const pixels = Float32Array.from({ length: 3 * side * side }, () => 2 * random() - 1);
const input = new ort.Tensor('float32', pixels, [1, 3, side, side]);

async function ours(): Promise<Float32Array> {
  const encoded = model.encodeImage(pixels, 1);
  const values = await device.read(encoded);
  encoded.dispose();
  return values;
}
const theirs = async () => (await session.run({ pixels: input }))['encoded']!.data;

// nvlm drops the class token, which stands first.
assertSame(await ours(), (await theirs()).subarray(vision.hiddenSize), kind === 'f32' ? 1e-3 : 0.25);
await measurePairs(
  [
    {
      row: `vision encoder, one tile of ${side} pixels, ${LAYERS} layers of InternViT-300M`,
      unit: 'ms',
      sides: ['nvlm', `onnxruntime-web, ${kind}`],
      work: [() => timed(ours), () => timed(theirs)],
    },
  ],
  Number(runs),
  { adapter: device.info.adapter, backend: device.info.backend },
);
await device.dispose();
process.exit(0);
