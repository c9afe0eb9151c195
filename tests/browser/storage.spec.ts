import { expect, test } from './fixtures.ts';

/** As the harness reads. */
const CHUNK_BYTES = 40_000;

test('storage keeps its contract in a worker and in a page', async ({ harness }) => {
  expect(await harness.evaluate(() => window.harness.worker.storeContract())).toBe('opfs');
  expect(await harness.evaluate(() => window.harness.page.storeContract())).toBe('opfs');
});

test('a tab that dies half-way through a model goes on where it was', async ({ harness }) => {
  let before = 0;
  for (const share of [0.3, 0.6, 0.9, 1]) {
    const { from, reached } = await harness.evaluate((upTo) => window.harness.worker.storeShare('nvlm-d', upTo), share);
    // Of what the last tab had read, what it had not stored yet when it died.
    expect(from).toBeGreaterThanOrEqual(before - CHUNK_BYTES);
    expect(reached).toBeGreaterThan(before);
    before = reached;
    await harness.reload();
    await harness.waitForFunction(() => 'harness' in window);
  }
  // Now it is there whole.
  expect((await harness.evaluate(() => window.harness.worker.storeShare('nvlm-d', 1))).from).toBeNull();
});
