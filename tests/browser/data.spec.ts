import { readFile } from 'node:fs/promises';
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { encodePng } from '../../src/tiling/encode-png.ts';
import { writeZip } from '../../src/files/write-zip.ts';
import { expectShortTasks } from '../support/main-thread.ts';
import { expect, test } from './fixtures.ts';

const text = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const png = async (shade: number) =>
  Buffer.from(await encodePng({ width: 120, height: 60, data: new Uint8Array(120 * 60 * 3).fill(shade) }));
const file = (name: string, mimeType: string, buffer: Buffer) => ({ name, mimeType, buffer });

async function zip(entries: Record<string, Uint8Array>): Promise<Buffer> {
  async function* files() {
    for (const [path, bytes] of Object.entries(entries)) yield { path, bytes };
  }
  const parts: Uint8Array[] = [];
  for await (const part of writeZip(files())) parts.push(part);
  return Buffer.concat(parts);
}

/** As a hand drops files: the browser's own events, over the whole page. */
async function drop(page: Page, files: { name: string; mimeType: string; buffer: Buffer }[]): Promise<void> {
  const transfer = await page.evaluateHandle(
    (given) => {
      const data = new DataTransfer();
      for (const { name, type, base64 } of given)
        data.items.add(new File([Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))], name, { type }));
      return data;
    },
    files.map(({ name, mimeType, buffer }) => ({ name, type: mimeType, base64: buffer.toString('base64') })),
  );
  for (const type of ['dragover', 'drop']) await page.dispatchEvent('main', type, { dataTransfer: transfer });
}

const add = (page: Page, ...files: { name: string; mimeType: string; buffer: Buffer }[]) =>
  page.getByTestId('choose-data').setInputFiles(files);
const record = (page: Page, id: string) => page.getByRole('article', { name: id, exact: true });

test('pictures, zip and CSV come in, are edited, split, previewed, kept and exported', async ({ page }) => {
  await page.goto('#/finetune?step=data');
  await expect(page.getByText('Drop pictures here')).toBeVisible();
  await drop(page, [file('cat.png', 'image/png', await png(40)), file('dog.png', 'image/png', await png(200))]);
  await expect(page.getByLabel('Name of the dataset')).toHaveValue('cat and 1 more');
  await expect(page.getByText('2 without an answer')).toBeVisible();
  await record(page, 'cat').getByLabel('Question of cat').fill('What is it?');
  await record(page, 'cat').getByLabel('Answer of cat').fill('A CAT');
  await page.keyboard.press('Tab');
  await expect(page.getByText('1 without an answer')).toBeVisible();

  const rows = [
    {
      id: 'zipped',
      image: 'img/a.png',
      conversations: [
        { from: 'human', value: '<image>\nQ?' },
        { from: 'gpt', value: 'Z' },
      ],
    },
    {
      id: 'lost',
      image: 'img/none.png',
      conversations: [
        { from: 'human', value: 'Q?' },
        { from: 'gpt', value: 'Z' },
      ],
    },
    {
      id: 'broken',
      image: 'img/bad.png',
      conversations: [
        { from: 'human', value: 'Q?' },
        { from: 'gpt', value: 'Z' },
      ],
    },
  ];
  const archive = {
    'set/data.json': text(rows),
    'set/img/a.png': await png(90),
    'set/img/bad.png': text('no picture'),
  };
  await add(page, file('more.zip', 'application/zip', await zip(archive)));
  await expect(record(page, 'zipped').getByRole('img')).toBeVisible();
  await page.getByText('What was left out, and why').click();
  await expect(page.getByText('did not come along')).toBeVisible();
  await expect(page.getByText(/record 3: .*not a picture/i)).toBeVisible();

  const csv = Array.from({ length: 30 }, (_, i) => `sum-${i},${i} plus 1,${i + 1},sums`);
  await add(page, file('sums.csv', 'text/csv', text(['id,prompt,result,task', ...csv].join('\n'))));
  const columns = page.getByRole('dialog', { name: 'Columns of sums.csv' });
  await expect(columns.getByLabel('Question', { exact: true })).toHaveValue('prompt');
  await columns.getByLabel('Answer', { exact: true }).selectOption('result');
  await columns.getByRole('button', { name: 'Import' }).click();
  await expect(page.getByText('33 records')).toBeVisible();

  await page.getByRole('button', { name: 'Hold out…' }).click();
  await page.getByLabel('Held out, percent').fill('20');
  await page.getByRole('button', { name: 'Split' }).click();
  await expect(page.getByRole('radio', { name: /Held out [67]/ })).toBeVisible();
  await record(page, 'cat').getByLabel('Held out').setChecked(false);

  await record(page, 'cat').getByRole('button', { name: 'Tokens' }).click();
  const preview = page.getByTestId('record-preview');
  const learnt = preview.locator('[data-learnt]').filter({ hasText: '(learnt)' });
  await expect(learnt.first()).toBeVisible();
  const words = (await learnt.allTextContents()).map((one) => one.replace(' (learnt)', ''));
  expect(words.join('').replaceAll('·', ' ')).toMatch(/^A CAT.+/);
  await expect(preview).toContainText('16 image tokens, tile 1');
  await page.keyboard.press('Escape');

  await record(page, 'zipped').getByRole('button', { name: 'Delete zipped' }).click();
  await expect(record(page, 'zipped')).toHaveCount(0);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(record(page, 'zipped')).toBeVisible();

  await page.reload();
  await expect(record(page, 'cat').getByLabel('Answer of cat')).toHaveValue('A CAT');
  await expect(record(page, 'cat').getByRole('img')).toBeVisible();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export zip' }).click()]);
  const exported = await readFile(await download.path());
  await page.getByRole('button', { name: 'All datasets' }).click();
  await add(page, file('copy.zip', 'application/zip', exported));
  await expect(page.getByLabel('Name of the dataset')).toHaveValue('copy');
  await expect(page.getByText('33 records with 3 pictures came in.')).toBeVisible();
  await expect(page.getByRole('radio', { name: /Held out [567]/ })).toBeVisible();

  await page.getByRole('button', { name: 'All datasets' }).click();
  await page.getByRole('button', { name: 'Delete copy' }).click();
  await expect(page.getByRole('button', { name: /^copy/ })).toHaveCount(0);
});

test('a set of thousands is leafed through without a long task; axe finds nothing on a phone', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto('#/finetune?step=data');
  const rows = Array.from({ length: 5000 }, (_, i) => JSON.stringify({ id: `r${i}`, question: `Question ${i}?`, answer: `${i}` }));
  await add(page, file('many.jsonl', 'application/json', text(rows.join('\n'))));
  await expect(page.getByText('1–12 of 5,000')).toBeVisible();
  await expectShortTasks(page, 'leafing, editing and searching in 5000 records', async () => {
    await page.getByRole('button', { name: 'Next' }).click();
    await expect(page.getByText('13–24 of 5,000')).toBeVisible();
    await record(page, 'r12').getByLabel('Answer of r12').fill('changed');
    await page.getByRole('searchbox').fill('changed');
    await expect(page.getByRole('article')).toHaveCount(1);
    await page.getByRole('searchbox').fill('');
    await expect(page.getByText('1–12 of 5,000')).toBeVisible();
  });
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`)).toEqual([]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(0);
});

test('parquet under codecs that are loaded when a file needs them, one of them WebAssembly', async ({ page }) => {
  await page.goto('#/finetune?step=data');
  for (const codec of ['brotli', 'zstd']) {
    const parquet = await readFile(`tests/fixtures/cases/parquet/llava_${codec}.parquet`);
    await add(page, file(`${codec}.parquet`, 'application/octet-stream', parquet));
    await page
      .getByRole('dialog', { name: `Columns of ${codec}.parquet` })
      .getByRole('button', { name: 'Import' })
      .click();
    await expect(page.getByText('2 records with 2 pictures came in')).toBeVisible();
    await expect(record(page, 'b').getByLabel('Answer of b')).toHaveValue('rot ü 😀');
    await page.getByRole('button', { name: 'All datasets' }).click();
  }
});

test('pictures in a folder a label come with their labels and one question', async ({ page }) => {
  await page.goto('#/finetune?step=data');
  await add(page, file('pets.zip', 'application/zip', await zip({ 'pets/cat/1.png': await png(40), 'pets/dog/2.png': await png(90) })));
  const dialog = page.getByRole('dialog', { name: 'Folders as labels' });
  await expect(dialog).toContainText('cat (1), dog (1)');
  await dialog.getByLabel('The question asked of every picture').fill('Which animal?');
  await dialog.getByLabel('The answer').fill('A pet.');
  await expect(dialog.getByText('Put {label} where the label stands')).toBeVisible();
  await expect(dialog.getByRole('button', { name: 'Use the names as answers' })).toBeDisabled();
  await dialog.getByLabel('The answer').fill('This is a {label}.');
  await expect(dialog.getByText('“This is a cat.”')).toBeVisible();
  await dialog.getByRole('button', { name: 'Use the names as answers' }).click();
  await expect(record(page, '2').getByLabel('Question of 2')).toHaveValue('Which animal?');
  await expect(record(page, '2').getByLabel('Answer of 2')).toHaveValue('This is a dog.');
});
