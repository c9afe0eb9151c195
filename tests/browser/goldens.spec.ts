import { expect, test } from './fixtures.ts';

/** The tests' browser has a software GPU adapter; measured are 2e-6. */
const FORWARD_BOUND = 2e-5;

// The reference implementations' numbers and answers once more, where they count: in a browser's worker.
for (const backend of ['webgpu', 'wasm'] as const) {
  for (const model of ['nvlm-d', 'nvlm-x', 'nvlm-h']) {
    test(`${model} computes what the reference computes on ${backend}`, async ({ harness }) => {
      const records = [0, 2, 5];
      const errors = await harness.evaluate(
        ([choice, name, list]) => window.harness.worker.goldenForward(choice, name, list),
        [backend, model, records] as const satisfies [typeof backend, string, number[]],
      );
      expect(errors.length).toBeGreaterThan(records.length);
      expect(errors.filter(({ error }) => !(error < FORWARD_BOUND))).toEqual([]);
    });

    test(`${model} answers as the reference does on ${backend}`, async ({ harness }) => {
      // A software GPU adapter takes its time: two answers there, all of them on wasm.
      const most = backend === 'webgpu' ? 2 : 100;
      const answers = await harness.evaluate(
        ([choice, name, count]) => window.harness.worker.goldenChats(choice, name, count),
        [backend, model, most] as const,
      );
      expect(answers.length).toBeGreaterThan(1);
      for (const { got, expected } of answers) expect(got).toEqual({ ids: expected.ids, text: expected.text });
    });
  }
}

// A software GPU adapter takes most of its time to compile, so the models share a device.
for (const backend of ['webgpu', 'wasm'] as const) {
  test(`attention, gates, odds, lens and worth of tiles are the reference's on ${backend}`, async ({ harness }) => {
    const models = ['nvlm-d', 'nvlm-x', 'nvlm-h'];
    // Several tiles and a thumbnail.
    const errors = await harness.evaluate(([choice, names]) => window.harness.worker.goldenInside(choice, names, 0), [backend, models] as const);
    expect(Object.keys(errors)).toEqual(models);
    for (const [model, found] of Object.entries(errors)) {
      const own = { 'nvlm-d': ['lens_ids'], 'nvlm-x': ['cross_attention', 'gates'], 'nvlm-h': ['cross_attention', 'gates', 'lens_ids'] }[model]!;
      expect(found.map(({ output }) => output)).toEqual(expect.arrayContaining(['self_attention', 'answer_logp', 'top_logp', 'tile_worth', ...own]));
      expect(found.filter(({ error }) => !(error < FORWARD_BOUND))).toEqual([]);
    }
  });
}

// One of each way in which weights arrive otherwise: quantised and packed, bf16 under InternVL's names; and SmolVLM's encoder.
for (const [backend, model, record] of [
  ['webgpu', 'text/qwen2-affine-4bit-g32', 0],
  ['webgpu', 'smolvlm', 1],
  ['wasm', 'internvl', 0],
] as const) {
  test(`${model} equals the reference with ${backend}`, async ({ harness }) => {
    const errors = await harness.evaluate(
      ([choice, name, one]) => window.harness.worker.goldenForward(choice, name, [one]),
      [backend, model, record] as const,
    );
    expect(errors.length).toBeGreaterThan(0);
    expect(errors.filter(({ error }) => !(error < FORWARD_BOUND))).toEqual([]);
  });
}
