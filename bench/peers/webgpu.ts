/**
 * A token on WebGPU from the host's side, in Chromium: nvlm's recorded step beside onnxruntime-web's WebGPU provider. A decoder so narrow
 * that its arithmetic takes nearly nothing, of random weights: what is left is what either says to the device, and what that costs.
 *
 * `npx tsx bench/peers/webgpu.ts [RUNS] [LAYERS]` after `npm ci --prefix bench/peers`. Processor time is that of the page's process, all
 * threads: JavaScript and wasm, without the process of the GPU.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from '@playwright/test';
import { findChromium } from '../../tests/support/chromium.ts';
import { withSyntheticDecoder } from '../synthetic-decoder.ts';
import { openSide, peerFiles, processorMs, servePage } from './browser.ts';
import { llamaOnnx } from './llama-onnx.ts';
import { measurePairs, type Sample } from './pairs.ts';
import type { GpuCounts } from './page/gpu-counts.ts';

const [runs = '5', layers = '8'] = process.argv.slice(2);
const NEW_TOKENS = 64;
const PROMPT = [3, 14, 15, 9, 26];
const sides: [string, string] = ['nvlm', 'onnxruntime-web'];

const json = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: 64,
  intermediate_size: 192,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  num_hidden_layers: Number(layers),
  vocab_size: 512,
  max_position_embeddings: 4096,
  rope_theta: 10_000,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: true,
};

await withSyntheticDecoder(json, async (folder) => {
  const { model, shape } = await llamaOnnx(folder, 'f32');
  const onnx = await mkdtemp(join(tmpdir(), 'nvlm-onnx-'));
  await writeFile(join(onnx, 'model.onnx'), model);
  const server = await servePage(folder, { ort: peerFiles('onnxruntime-web/dist'), onnx });
  const { executablePath, args, env } = await findChromium();
  const browser = await chromium.launch({ executablePath, args, env });
  try {
    const ours = await openSide(browser, server.url);
    const theirs = await openSide(browser, server.url);
    const info = await ours.page.evaluate(() => window.nvlm.open('webgpu', 16));
    await theirs.page.evaluate(async (of) => void (window.ort = await window.openOrtSide('/onnx/model.onnx', of)), shape);
    // Steps are queued ahead to the last.
    const most = NEW_TOKENS * (Number(runs) + 1) + 2;
    const first = [
      await ours.page.evaluate(([ids, room]) => window.nvlm.prompt(ids, room), [PROMPT, most] as const),
      await theirs.page.evaluate((ids) => window.ort.prompt(ids), PROMPT),
    ];
    const answers: number[][] = [[first[0]!], [first[1]!]];
    const counted: GpuCounts[][] = [[], []];
    const decode = [
      () => ours.page.evaluate((count) => window.nvlm.answer(count), NEW_TOKENS),
      () => theirs.page.evaluate((count) => window.ort.decode(count), NEW_TOKENS),
    ] as const;
    const of = async (side: 0 | 1): Promise<Sample> => {
      const { pid } = side === 0 ? ours : theirs;
      const before = processorMs(pid);
      const { ids, ms, counts } = await decode[side]();
      answers[side]!.push(...ids);
      counted[side]!.push(counts);
      return { ms: ms / NEW_TOKENS, cpuMs: (processorMs(pid) - before) / NEW_TOKENS };
    };
    const where = { adapter: info.adapter, backend: info.backend, runtime: `Chromium ${browser.version()}` };
    const pair = {
      row: `a token of ${layers} layers`,
      unit: 'ms',
      sides,
      work: [() => of(0), () => of(1)] as [() => Promise<Sample>, () => Promise<Sample>],
    };
    await measurePairs([pair], Number(runs), where, () => {
      if (answers[0]!.join() !== answers[1]!.join()) throw new Error(`The answers differ: ${answers.join(' | ')}`);
      const units = { dispatches: '', submits: '', writtenBytes: 'bytes', readBytes: 'bytes' };
      return sides.flatMap((side, n) =>
        (Object.keys(units) as (keyof GpuCounts)[]).map((name) => ({
          name: `${pair.row}: ${side}, ${name}`,
          unit: units[name],
          samples: counted[n]!.slice(1).map((counts) => counts[name] / NEW_TOKENS),
          ...where,
        })),
      );
    });
  } finally {
    await browser.close();
    await server.close();
    await rm(onnx, { recursive: true });
  }
});
process.exit(0);
