import { expect, test } from './fixtures.ts';

// Every program once more, as the browser's own shader compiler and driver see it.
for (const backend of ['webgpu', 'wasm'] as const) {
  test(`every op equals its reference on ${backend} in a worker`, async ({ harness }) => {
    const results = await harness.evaluate((choice) => window.harness.worker.verifyOps(choice), backend);
    expect(new Set(results.map(({ op }) => op)).size).toBeGreaterThan(10);
    expect(results.filter(({ ok }) => !ok)).toEqual([]);
  });
}

test('the heaviest ops equal their references on webgpu in a page', async ({ harness }) => {
  const results = await harness.evaluate(() => window.harness.page.verifyOps('webgpu', ['linear', 'attention']));
  expect(results.length).toBeGreaterThan(4);
  expect(results.filter(({ ok }) => !ok)).toEqual([]);
});
