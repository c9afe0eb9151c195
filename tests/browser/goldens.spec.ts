import type { Page } from '@playwright/test';
import { errorsOf, expect, openHarness, test } from './fixtures.ts';

/** The tests' browser has a software GPU adapter; measured are 2e-6. */
const FORWARD_BOUND = 2e-5;
const MODELS = ['nvlm-d', 'nvlm-x', 'nvlm-h'];

// The reference implementations' numbers and answers once more, where they count: in a browser's worker.
for (const backend of ['webgpu', 'wasm'] as const) {
  test.describe(`on ${backend}, in one worker`, () => {
    let harness: Page;
    let errors: string[];
    test.beforeAll(async ({ browser }) => {
      harness = await browser.newPage();
      errors = errorsOf(harness);
      await openHarness(harness);
      await harness.evaluate((choice) => window.harness.worker.holdDevice(choice), backend);
    });
    test.afterEach(() => expect(errors, 'errors on the console').toEqual([]));
    test.afterAll(() => harness.close());

    for (const model of MODELS) {
      test(`${model} computes what the reference computes on ${backend}`, async () => {
        const records = [0, 2, 5];
        const found = await harness.evaluate(([choice, name, list]) => window.harness.worker.goldenForward(choice, name, list), [
          backend,
          model,
          records,
        ] as const satisfies [typeof backend, string, number[]]);
        expect(found.length).toBeGreaterThan(records.length);
        expect(found.filter(({ error }) => !(error < FORWARD_BOUND))).toEqual([]);
      });

      test(`${model} answers as the reference does on ${backend}`, async () => {
        // A software GPU adapter takes its time: two answers there, all of them on wasm.
        const most = backend === 'webgpu' ? 2 : 100;
        const answers = await harness.evaluate(([choice, name, count]) => window.harness.worker.goldenChats(choice, name, count), [
          backend,
          model,
          most,
        ] as const);
        expect(answers.length).toBeGreaterThan(1);
        for (const { got, expected } of answers) expect(got).toEqual({ ids: expected.ids, text: expected.text });
      });
    }

    test(`attention, gates, odds, lens and worth of tiles are the reference's on ${backend}`, async () => {
      // Several tiles and a thumbnail. NVLM-H has every kind of layer; in Node the others stand on WebGPU as well.
      const models = backend === 'webgpu' ? ['nvlm-h'] : MODELS;
      const found = await harness.evaluate(([choice, names]) => window.harness.worker.goldenInside(choice, names, 0), [
        backend,
        models,
      ] as const);
      expect(Object.keys(found)).toEqual(models);
      for (const [model, inside] of Object.entries(found)) {
        const own = { 'nvlm-d': ['lens_ids'], 'nvlm-x': ['cross_attention', 'gates'], 'nvlm-h': ['cross_attention', 'gates', 'lens_ids'] }[
          model
        ]!;
        expect(inside.map(({ output }) => output)).toEqual(
          expect.arrayContaining(['self_attention', 'answer_logp', 'top_logp', 'tile_worth', ...own]),
        );
        expect(inside.filter(({ error }) => !(error < FORWARD_BOUND))).toEqual([]);
      }
    });

    // One of each way in which weights arrive otherwise: quantised and packed, bf16 under InternVL's names; and SmolVLM's encoder.
    const others = {
      webgpu: [
        ['text/qwen2-affine-4bit-g32', 0],
        ['smolvlm', 1],
      ],
      wasm: [['internvl', 0]],
    } as const;
    for (const [model, record] of others[backend]) {
      test(`${model} equals the reference with ${backend}`, async () => {
        const found = await harness.evaluate(([choice, name, one]) => window.harness.worker.goldenForward(choice, name, [one]), [
          backend,
          model,
          record,
        ] as const);
        expect(found.length).toBeGreaterThan(0);
        expect(found.filter(({ error }) => !(error < FORWARD_BOUND))).toEqual([]);
      });
    }
  });
}
