import { readFile } from 'node:fs/promises';
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { writeZip } from '../../src/files/write-zip.ts';
import { encodePng } from '../../src/tiling/encode-png.ts';
import { expect, test } from './fixtures.ts';

async function expectNoViolations(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`)).toEqual([]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(0);
}

const picture = (shade: number) => encodePng({ width: 56, height: 56, data: new Uint8Array(56 * 56 * 3).fill(shade) });

/** Expected and answered, of a base model that knows none of the labels and of a tuned one that takes two for each other. */
const ANSWERS = [
  ['cat', 'cat'],
  ['cat', 'dog'],
  ['cat', 'dog'],
  ['dog', 'dog'],
  ['dog', 'a dog'],
  ['owl', 'owl'],
] as const;

/** A run's folder as `nvlm train` leaves it, with its data. */
async function runZip(): Promise<Buffer> {
  const question = '<image>\nWhich animal?';
  const records = ANSWERS.map(([label], i) => ({
    id: `pet-${i}`,
    image: `pictures/${i}.png`,
    held_out: true,
    conversations: [
      { from: 'human', value: question },
      { from: 'gpt', value: label },
    ],
  }));
  const samples = [0, 5].flatMap((step) =>
    ANSWERS.map(([expected, answer], i) => ({
      step,
      record: `pet-${i}`,
      question,
      picture: `pictures/${i}.png`,
      expected,
      answer: step === 0 ? 'a circle' : answer,
    })),
  );
  const run = { model: 'nano-d', data: 'data', steps: 5, sample_every: 5, samples: 40, lora: { rank: 2 } };
  const files: Record<string, Uint8Array> = {
    'run.json': Buffer.from(JSON.stringify(run)),
    'samples.jsonl': Buffer.from(samples.map((sample) => `${JSON.stringify(sample)}\n`).join('')),
    'data/data.json': Buffer.from(JSON.stringify(records)),
  };
  for (const i of ANSWERS.keys()) files[`data/pictures/${i}.png`] = await picture(40 * i);
  const parts: Uint8Array[] = [];
  for await (const part of writeZip((async function* () {
    for (const [path, bytes] of Object.entries(files)) yield { path, bytes };
  })()))
    parts.push(part);
  return Buffer.concat(parts);
}

test('accuracy by question and label; a cell of the confusion matrix opens its pictures', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.goto('#/finetune?step=result');
  const zip = { name: 'run.zip', mimeType: 'application/zip', buffer: await runZip() };
  await page.getByLabel('ZIP file of a run').setInputFiles(zip);
  const scores = page.getByRole('region', { name: 'Accuracy by question and label' });
  await expect(scores).toContainText('After step 5. All 6 held-out records.');
  await expect(scores.getByRole('row', { name: 'Which animal? 0 of 6 (0 %) 3 of 6 (50 %)' })).toBeVisible();
  await expect(scores.getByRole('row', { name: 'cat 0 of 3 (0 %) 1 of 3 (33 %)' })).toBeVisible();

  const matrix = scores.getByRole('region', { name: 'Confusion matrix: Which animal?' });
  await expect(matrix.getByRole('button')).toHaveCount(5);
  await expect(matrix.getByRole('button', { name: 'dog answered as something else: 1' })).toBeVisible();
  await matrix.getByRole('button', { name: 'cat answered as dog: 2' }).focus();
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'cat answered as dog: 2' });
  await expect(dialog.getByRole('listitem')).toHaveCount(2);
  await expect(dialog.getByRole('listitem').first()).toContainText(/Which animal\?.*cat.*a circle.*dog/);
  await expect(dialog.getByRole('img')).toHaveCount(2);
  await expectNoViolations(page);
  await page.keyboard.press('Escape');
  await expect(dialog).toHaveCount(0);

  await scores.getByRole('radio', { name: 'Base' }).check();
  await expect(matrix.getByRole('button')).toHaveCount(3);
  await expect(matrix.getByRole('button', { name: 'cat answered as something else: 3' })).toBeVisible();
  await expectNoViolations(page);

  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Report, JSON' }).click(),
  ]);
  const report = JSON.parse(await readFile(await download.path(), 'utf8')) as { accuracy: { tuned: unknown } };
  expect(report.accuracy.tuned).toMatchObject([{ asked: 6, right: 3, confusion: { counts: [[1, 2, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0]] } }]);
});
