import { expect, test } from './fixtures.ts';

test('a worker of an isolated page has a thread a core, which give the bits of one', async ({ harness }) => {
  const { info, isolated, differ } = await harness.evaluate(() => window.harness.worker.threads());
  expect(isolated).toBe(true);
  const cores = await harness.evaluate(() => navigator.hardwareConcurrency);
  expect(info).toMatchObject({ threads: Math.min(cores, 16) });
  expect(info.threadsReason).toContain(cores > 1 ? 'as many as a measurement finds faster' : 'one core');
  expect(differ).toEqual([]);
});

test('the thread of a page computes alone, for it must not wait', async ({ harness }) => {
  const { info } = await harness.evaluate(() => window.harness.page.threads());
  expect(info).toMatchObject({ threads: 1, threadsReason: 'The thread of a page computes alone.' });
});

const places = ['page', 'worker'] as const;

for (const place of places) {
  test.describe(`in a ${place}`, () => {
    test('auto passes over the software GPU adapter and computes on wasm', async ({ harness }) => {
      const { info, values } = await harness.evaluate((where) => window.harness[where].multiply('auto'), place);
      expect(values).toEqual([50]);
      expect(info).toMatchObject({ backend: 'wasm', adapter: null, features: expect.arrayContaining(['simd']) as string[] });
      expect(info.reason).toContain('so WebAssembly computes.');
    });

    test('WebGPU by name computes on the software GPU adapter and says what it is', async ({ harness }) => {
      const { info, values } = await harness.evaluate((where) => window.harness[where].multiply('webgpu'), place);
      expect(values).toEqual([50]);
      expect(info).toMatchObject({ backend: 'webgpu', adapter: { software: true } });
    });

    test('backends can be changed back and forth', async ({ harness }) => {
      const backends = await harness.evaluate(async (where) => {
        const seen: string[] = [];
        for (const choice of ['wasm', 'webgpu', 'cpu', 'wasm', 'webgpu'] as const) {
          const { info, values } = await window.harness[where].multiply(choice);
          seen.push(`${info.backend} ${values.join()}`);
        }
        return seen;
      }, place);
      expect(backends).toEqual(['wasm 50', 'webgpu 50', 'cpu 50', 'wasm 50', 'webgpu 50']);
    });

    test('a lost device is a typed error and the next one works', async ({ harness }) => {
      const { error, values } = await harness.evaluate((where) => window.harness[where].loseDevice(), place);
      expect(error).toMatchObject({ code: 'device-lost' });
      expect(values).toEqual([50]);
    });

    test('a program that does not compile is a typed error', async ({ harness }) => {
      const error = await harness.evaluate((where) => window.harness[where].breakShader(), place);
      expect(error).toMatchObject({ code: 'shader-failed' });
      expect(error?.message).toContain('nonsense');
    });
  });
}
