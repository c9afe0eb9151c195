import { expect, test } from './fixtures.ts';

/** As the harness reads. */
const CHUNK_BYTES = 40_000;

test('storage keeps its contract in a worker and in a page', async ({ harness }) => {
  expect(await harness.evaluate(() => window.harness.worker.storeContract())).toBe('opfs');
  expect(await harness.evaluate(() => window.harness.page.storeContract())).toBe('opfs');
});

test('a tab that dies half-way through a model goes on where it was', async ({ harness }) => {
  for (const share of [0.3, 0.6, 0.9, 1]) {
    const { fetched, size } = await harness.evaluate((upTo) => window.harness.worker.storeShare('nvlm-d', upTo), share);
    // Each tab fetches its third, what was on its way when the last one died, and what it reads ahead itself.
    expect(fetched).toBeGreaterThan(0);
    expect(fetched).toBeLessThanOrEqual(0.3 * size + 2 * CHUNK_BYTES);
    await harness.reload();
    await harness.waitForFunction(() => 'harness' in window);
  }
  // Now it is there whole.
  expect((await harness.evaluate(() => window.harness.worker.storeShare('nvlm-d', 1))).fetched).toBe(0);
});
