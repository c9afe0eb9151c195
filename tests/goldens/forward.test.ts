/**
 * `forward` against the reference implementations (PyTorch): every architecture, the NVLM-D-72B and InternVL layouts, plain text models
 * and quantised ones, on every backend; and two models with tiny activations and unusual epsilons,
 * where a wrong one shows as percent.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../src/device/types.ts';
import { nodeFiles } from '../../src/weights/node-files.ts';
import { allBackends, openBackend } from '../support/backends.ts';
import { forwardBound, forwardErrors } from './check.ts';
import { goldenFolder } from './golden-files.ts';

const CASES: Record<string, number[]> = {
  'nvlm-d': [0, 2, 5, 7],
  'nvlm-x': [0, 2, 5, 7],
  'nvlm-h': [0, 2, 5, 7],
  'nvlm-d-72b-layout': [0],
  'text/qwen2': [0],
  'text/qwen3': [0],
  'text/llama': [0],
  'text/llama3-rope': [0],
  'text/llama-biased': [0],
  internvl: [0],
  'text/qwen2-affine-4bit-g32': [0],
  'text/qwen2-affine-4bit-g64': [0],
  'text/qwen2-affine-8bit-g64': [0],
  'epsilons/llama': [0],
  'epsilons/nvlm-d': [0],
};

/**
 * InternVL3.5 puts parts together that are each computed everywhere above, and layouts of transformers are other names for what is;
 * SmolVLM and nanoVLM on wasm have tests of their own.
 */
const MORE_CASES: Record<string, Record<string, number[]>> = {
  wasm: { 'internvl-hf': [0], internvl3_5: [0], 'internvl3_5-hf': [0] },
  webgpu: { smolvlm: [1], nanovlm: [1], 'nanovlm-whole': [0] },
};

/** The same weights under other names, so the same records. */
const RECORDS_OF: Record<string, string> = { 'internvl-hf': 'internvl', 'internvl3_5-hf': 'internvl3_5' };

describe.each(allBackends)('forward on %s', (backend) => {
  let device: Device;
  beforeAll(async () => {
    device = await openBackend(backend);
  });
  afterAll(async () => {
    await device.dispose();
  });

  const cases: Record<string, number[]> = { ...CASES, ...MORE_CASES[backend] };
  it.each(Object.keys(cases))('%s equals the reference', async (name) => {
    const errors = await forwardErrors(
      nodeFiles(goldenFolder(name)),
      device,
      cases[name]!,
      nodeFiles(goldenFolder(RECORDS_OF[name] ?? name)),
    );
    expect(errors.length).toBeGreaterThanOrEqual(cases[name]!.length);
    expect(errors.filter(({ error }) => !(error < forwardBound(device)))).toEqual([]);
  });
});
