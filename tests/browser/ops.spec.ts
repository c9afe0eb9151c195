import { expect, test } from './fixtures.ts';

// Every program once more, as the browser's own shader compiler and driver see it.
for (const backend of ['webgpu', 'wasm'] as const) {
  test(`every op equals its reference on ${backend} in a worker`, async ({ harness }) => {
    const results = await harness.evaluate((choice) => window.harness.worker.verifyOps(choice), backend);
    expect(new Set(results.map(({ op }) => op)).size).toBeGreaterThan(10);
    expect(results.filter(({ ok }) => !ok)).toEqual([]);
  });
}

// The same code and the same driver: a few ops tell whether the page's own thread can have a device.
test('ops equal their references on webgpu in a page', async ({ harness }) => {
  const ops = ['rope', 'embed', 'rmsNorm', 'gelu'];
  const results = await harness.evaluate((some) => window.harness.page.verifyOps('webgpu', some), ops);
  expect(new Set(results.map(({ op }) => op))).toEqual(new Set(ops));
  expect(results.filter(({ ok }) => !ok)).toEqual([]);
});
