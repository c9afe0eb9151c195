import { expect, test } from './fixtures.ts';

test('an experiment: planned, run, paused, gone on with after a reload, its result, its runs', async ({ page }) => {
  test.slow();
  await page.goto('#/lab');
  await page.getByRole('radio', { name: /What does NVLM-X lose/ }).check();
  await page.getByRole('radio', { name: 'Two minutes' }).check();
  await expect(page.getByText(/2 runs: frozen · trained, 1 seed each; 0 done/)).toBeVisible({ timeout: 60_000 });
  await page.getByRole('button', { name: 'Run it here' }).click();

  // Stopped in the middle of its first run.
  await expect(page.getByText(/^training/)).toBeVisible({ timeout: 120_000 });
  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(page.getByRole('button', { name: /Go on|Run it here/ })).toBeVisible({ timeout: 60_000 });
  await page.reload();
  await expect(page.getByText(/2 runs: .* 0 done/)).toBeVisible({ timeout: 60_000 });
  await page.getByRole('button', { name: /Go on|Run it here/ }).click();
  await expect(page.getByRole('navigation', { name: 'Screens' }).getByText(/\d of 2/)).toBeVisible();

  await expect(page.getByText('2 of 2 runs, on wasm')).toBeVisible({ timeout: 240_000 });
  await expect(page.getByRole('img', { name: /What does NVLM-X lose/ })).toBeVisible();
  const figures = page.getByRole('region', { name: 'Figures by level' }).getByRole('row');
  await expect(figures).toHaveCount(3);
  await expect(page.getByRole('region', { name: 'Answers of two levels' }).getByRole('row')).not.toHaveCount(1);
  await expect(page.getByRole('img', { name: /Training loss of all runs: 2 curves over 6 steps/ })).toBeVisible();
  const report = page.waitForEvent('download');
  await page.getByRole('button', { name: /Report, JSON/ }).click();
  expect((await report).suggestedFilename()).toBe('frozen-decoder.zip');

  await page.getByRole('radio', { name: 'All runs' }).check();
  const runs = page.getByRole('region', { name: 'Table of runs' });
  // The pause was no run of its own.
  await expect(runs.getByRole('row')).toHaveCount(3);
  await expect(runs).toContainText('trainable connector+cross_attention → connector+cross_attention+language_model');
  for (const box of await runs.getByRole('checkbox').all()) await box.check();
  await expect(page.getByRole('img', { name: /chosen runs: 2 curves/ })).toBeVisible();
  await runs.getByRole('button', { name: /^Delete .*frozen, seed 1/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click();
  await expect(runs.getByRole('row')).toHaveCount(2);
});
