import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { adapterFiles } from '../support/adapter-files.ts';
import { expectAccessible } from './accessible.ts';
import { expect, test } from './fixtures.ts';

test('three models answer beside each other on a phone, each with what it took', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto('#/compare?backend=wasm&picture=platform&prompt=Read%20line%201.');
  await expect(page.getByText(/^All 3 stay in memory together, about /)).toBeVisible({ timeout: 60_000 });
  await page.getByRole('button', { name: 'Ask all 3' }).click();
  for (const model of ['nano-d', 'nano-x', 'nano-h']) {
    const column = page.getByRole('region', { name: model });
    await expect(column.getByRole('link', { name: 'Why?' })).toBeVisible({ timeout: 90_000 });
    await expect(column).toContainText('Looked most at');
    await expect(column).toContainText('tokens in the decoder');
  }
  await expect(page.getByRole('region', { name: 'nano-d' })).toContainText('PLATFORM');
  await expect(page.getByRole('region', { name: 'nano-d' })).toContainText('right');
  await expect(page.getByRole('region', { name: 'nano-d' })).toContainText('none');
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await expectAccessible(page);

  // Another question finds all of them in memory: none is opened again.
  const opened: string[] = [];
  page.on('request', (request) => void (/\/models\/nano-/.test(request.url()) && opened.push(request.url())));
  await page.getByLabel('Question', { exact: true }).fill('Read line 2.');
  await page.getByRole('button', { name: 'Ask all 3' }).click();
  await expect(page.getByRole('region', { name: 'nano-h' }).getByRole('link', { name: 'Why?' })).toBeVisible({ timeout: 60_000 });
  await expect(page.getByRole('region', { name: 'nano-d' })).toContainText('7');
  expect(opened).toEqual([]);
  // Elsewhere one model is enough.
  await page.getByRole('navigation', { name: 'Screens' }).getByRole('link', { name: 'Models' }).click();
  await page.getByRole('navigation', { name: 'Screens' }).getByRole('link', { name: 'Compare' }).click();
  await page.getByRole('button', { name: 'Ask all 3' }).click();
  await expect.poll(() => opened.filter((url) => url.includes('nano-x')).length).toBeGreaterThan(0);
});

test('a model answers beside itself with an adapter, through the examples and a folder, into a table and a CSV', async ({ page }, info) => {
  await page.goto('#/chat?backend=wasm&picture=platform');
  await page.getByRole('button', { name: 'Adapters' }).click();
  await page
    .getByRole('region', { name: 'Adapters' })
    .getByLabel('Files of an adapter')
    .setInputFiles(await adapterFiles());
  await expect(page.getByRole('checkbox', { name: 'Imported adapter' })).toBeChecked();
  await page.getByRole('navigation', { name: 'Screens' }).getByRole('link', { name: 'Compare' }).click();
  for (const other of ['nano-x', 'nano-h']) await page.getByRole('checkbox', { name: other, exact: true }).uncheck();
  await page.getByRole('checkbox', { name: 'nano-d + Imported adapter' }).check();
  await expect(page.getByText(/^One model, about /)).toBeVisible({ timeout: 60_000 });

  await page.getByLabel('Question', { exact: true }).fill('Read line 1.');
  await page.getByRole('button', { name: 'Ask all 2' }).click();
  const [plain, tuned] = ['nano-d', 'nano-d + Imported adapter'].map((name) => page.getByRole('region', { name, exact: true }));
  for (const column of [plain!, tuned!]) await expect(column.getByText(/^Looked most at/).first()).toBeVisible({ timeout: 60_000 });
  await expect(plain!.getByTestId('compare-answer')).toHaveText('PLATFORM');
  await expect(tuned!.getByTestId('compare-answer')).not.toHaveText('PLATFORM');
  // Its answer is looked into with the adapter on.
  await expect(tuned!.getByRole('link', { name: 'Why?' })).toHaveAttribute('href', /with=a[0-9a-f]{8}/);

  await page.getByRole('button', { name: 'All examples' }).click();
  const csv = page.getByRole('button', { name: 'CSV' });
  await expect(csv).toBeVisible({ timeout: 120_000 });
  const table = page.getByRole('region', { name: 'Agreement' });
  await expect(table.getByRole('row')).toHaveCount(3);
  await expectAccessible(page);
  const download = page.waitForEvent('download');
  await csv.click();
  const lines = (await readFile(await (await download).path(), 'utf8')).trimEnd().split('\r\n');
  expect(lines[0]).toBe('picture,question,expected,nano-d,nano-d: right,nano-d + Imported adapter,nano-d + Imported adapter: right,agree');
  expect(lines).toHaveLength(1 + (await page.getByRole('region', { name: 'All answers' }).getByRole('row').count()) - 1);
  const right = lines.filter((line) => /,yes,/.test(line)).length;
  expect(right).toBeGreaterThan(10);

  const folder = info.outputPath('pictures');
  await mkdir(folder, { recursive: true });
  await copyFile('tests/fixtures/nano-eval/images/000.png', join(folder, 'b.png'));
  await copyFile('tests/fixtures/nano-eval/images/001.png', join(folder, 'a.png'));
  await writeFile(join(folder, 'notes.txt'), 'no picture');
  await page.getByLabel('A folder, with the question above').setInputFiles(folder);
  await expect(page.getByText('1 of 3 files are no pictures that can be read here.')).toBeVisible();
  const rows = page.getByRole('region', { name: 'All answers' }).getByRole('row');
  await expect(rows).toHaveCount(3);
  await expect(rows.nth(1)).toContainText('pictures/a.png');
  await expect(rows.nth(2)).toContainText('pictures/b.png');
  await expect(csv).toBeVisible({ timeout: 60_000 });
  await expect(rows.nth(1).getByText('…')).toHaveCount(0);
});
