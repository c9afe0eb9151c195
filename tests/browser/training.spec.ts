import { expect, test } from './fixtures.ts';

const losses = (log: readonly { step: number; loss: number; gradNorm: number }[]) =>
  log.map(({ step, loss, gradNorm }) => [step, loss, gradNorm]);

test('a folder of private storage keeps its contract in a worker and in a page', async ({ harness }) => {
  await harness.evaluate(() => window.harness.worker.folderContract());
  await harness.evaluate(() => window.harness.page.folderContract());
});

test('a run whose page was closed in the middle goes on with the losses of one that was not', async ({ harness }) => {
  const steps = 16;
  const { summary: whole } = await harness.evaluate(
    (count) => window.harness.worker.train({ backend: 'wasm', steps: count, textOnly: false }),
    steps,
  );
  expect(whole).toMatchObject({ state: 'finished', step: steps });

  await harness.evaluate((count) => {
    void window.harness.worker.train({ backend: 'wasm', steps: count, textOnly: false });
  }, steps);
  const stepsTaken = async () => {
    const [newest, ...others] = await harness.evaluate(() => window.harness.page.runRecords());
    return others.length > 0 ? newest!.log.length : 0;
  };
  await expect.poll(stepsTaken, { intervals: [20] }).toBeGreaterThanOrEqual(3);
  await harness.reload();
  await harness.waitForFunction(() => 'harness' in window);
  const [dead] = await harness.evaluate(() => window.harness.page.runRecords());
  expect(dead!.summary).toMatchObject({ state: 'paused' });
  expect(dead!.summary.note).toContain('last checkpoint');
  expect(dead!.summary.step).toBeGreaterThanOrEqual(2);
  expect(dead!.summary.step).toBeLessThan(steps);

  const id = dead!.summary.id;
  const { summary: resumed } = await harness.evaluate(
    ([run, count]) => window.harness.worker.train({ id: run, backend: 'wasm', steps: count, textOnly: false }),
    [id, steps] as const,
  );
  expect(resumed).toMatchObject({ id, state: 'finished', step: steps, result: 'adapter' });
  const records = await harness.evaluate(() => window.harness.page.runRecords());
  expect(records).toHaveLength(2);
  expect(losses(records[0]!.log)).toEqual(losses(records[1]!.log));
});

test('a run that loses its device says so and goes on with another as if it had not', async ({ harness }) => {
  const begun = await harness.evaluate(() => window.harness.worker.train({ backend: 'webgpu', steps: 3, textOnly: true, loseAfter: 3 }));
  // The third step was taken, and lost with the device: the checkpoint is of two.
  expect(begun.taken).toHaveLength(3);
  expect(begun.error).toMatchObject({ code: 'device-lost' });
  const [lost] = await harness.evaluate(() => window.harness.page.runRecords());
  expect(lost!.summary).toMatchObject({ state: 'paused', step: 2 });
  const { summary: resumed } = await harness.evaluate(
    (id) => window.harness.worker.train({ id, backend: 'webgpu', steps: 3, textOnly: true }),
    lost!.summary.id,
  );
  expect(resumed).toMatchObject({ state: 'finished', step: 3 });
  const [record] = await harness.evaluate(() => window.harness.page.runRecords());
  expect(losses(record!.log)).toEqual(losses(begun.taken));
});
