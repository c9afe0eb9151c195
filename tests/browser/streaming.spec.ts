import { mkdir, open, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Page } from '@playwright/test';
import { syntheticFiles } from '../../src/engine/models/synthesize.ts';
import { parseConfig } from '../../src/nvlm/parse-config.ts';
import { parameterSpecs } from '../../src/nvlm/names.ts';
import { syntheticCheckpoint, syntheticRows, type SyntheticCheckpoint } from '../../src/nvlm/synthetic-checkpoint.ts';
import { bf16ToF32 } from '../../src/weights/dtype.ts';
import { DEFAULT_CHUNK_BYTES } from '../../src/weights/stream.ts';
import { serveCheckpoint, type CheckpointServer } from '../support/checkpoint-server.ts';
import { WorkerHeap } from '../support/worker-heap.ts';
import { expect, test } from './fixtures.ts';

const MB = 1e6;
const SEED = 3;
const ROWS = [0, 1, 20_000, 32_767];
const SHARD = 'checkpoint/model.safetensors';
const folder = fileURLToPath(new URL('../../.cache/streaming/', import.meta.url));

/** InternVL2.5-1B with two layers of each kind and a fifth of its vocabulary: the shapes are real, the whole takes seconds. */
function scaledDown(): SyntheticCheckpoint {
  const full = syntheticCheckpoint('internvl2_5-1b', 2);
  const json = full.files['config.json'] as { llm_config: object };
  const small = { ...json, llm_config: { ...json.llm_config, vocab_size: 32_768 } };
  const config = parseConfig(small);
  return { ...full, config, tensors: parameterSpecs(config), files: { ...full.files, 'config.json': small } };
}

const checkpoint = scaledDown();
let server: CheckpointServer;
let size = 0;

test.beforeAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const { name, bytes, pieces } of syntheticFiles(checkpoint, SEED)) {
    const file = await open(`${folder}${name}`, 'w');
    for (const piece of pieces()) await file.writeFile(piece);
    await file.close();
    if (name === 'model.safetensors') size = bytes;
  }
  server = await serveCheckpoint(folder);
});
test.afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

function expectedRows(): number[] {
  const table = checkpoint.tensors.find(({ role }) => role === 'embedding')!;
  const rows = syntheticRows(checkpoint, table, SEED);
  return ROWS.flatMap((row) => [...bf16ToF32(rows(row, 1))]);
}

async function openTab(page: Page): Promise<Page> {
  await page.goto(server.url);
  await page.waitForFunction(() => 'harness' in window);
  return page;
}

for (const backend of ['webgpu', 'wasm'] as const) {
  test(`a model larger than 200 MB goes through less than 60 MB of heap onto ${backend}`, async ({ page }) => {
    await openTab(page);
    // The device's own start is not the model's.
    await page.evaluate((choice) => window.harness.worker.multiply(choice), backend);
    const heap = await WorkerHeap.of(page);
    await heap.collectGarbage();
    const baseline = await heap.bytes();
    const loading = page.evaluate(([choice, rows]) => window.harness.worker.loadCheckpoint(choice, false, rows), [
      backend,
      ROWS,
    ] as const satisfies [typeof backend, number[]]);
    const { result, peak, samples } = await heap.peakDuring(loading);
    expect(result.tensorBytes).toBeGreaterThan(200 * MB);
    expect(samples).toBeGreaterThan(10);
    expect(peak - baseline).toBeLessThan(60 * MB);
    expect(result.plannedBytes).toBe(result.weightBytes);
    // Values below 6e-5 are rounded when bf16 becomes f16.
    const expected = expectedRows();
    expect(result.rows.length).toBe(expected.length);
    expect(result.rows.every((value, i) => Math.abs(value - expected[i]!) < 6e-8)).toBe(true);
  });
}

test('tabs that die at 30, 60 and 90 % of a large model fetch at most one chunk again each', async ({ context }) => {
  server.sent.clear();
  server.paceMs = 2;
  const fetched = () => server.sent.get(SHARD) ?? 0;
  for (const share of [0.3, 0.6, 0.9]) {
    const tab = await openTab(await context.newPage());
    void tab.evaluate((rows) => window.harness.worker.loadCheckpoint('wasm', true, rows), ROWS).catch(() => undefined);
    await expect.poll(fetched, { intervals: [5], timeout: 60_000 }).toBeGreaterThan(share * size);
    await tab.close();
    expect(fetched()).toBeLessThan(size);
  }
  const last = await openTab(await context.newPage());
  const { rows } = await last.evaluate((list) => window.harness.worker.loadCheckpoint('wasm', true, list), ROWS);
  expect(rows.map(Math.fround)).toEqual(expectedRows());
  expect(fetched()).toBeGreaterThanOrEqual(size);
  // Headers are read apart, in each tab.
  expect(fetched() - size).toBeLessThanOrEqual(3 * (DEFAULT_CHUNK_BYTES + 2 ** 17));
  const before = fetched();
  await last.evaluate((list) => window.harness.worker.loadCheckpoint('wasm', true, list), ROWS);
  expect(fetched()).toBe(before);
});
