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
  for await (const part of writeZip(
    (async function* () {
      for (const [path, bytes] of Object.entries(files)) yield { path, bytes };
    })(),
  ))
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

  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Report, JSON' }).click()]);
  const report = JSON.parse(await readFile(await download.path(), 'utf8')) as { accuracy: { tuned: unknown } };
  expect(report.accuracy.tuned).toMatchObject([
    {
      asked: 6,
      right: 3,
      confusion: {
        counts: [
          [1, 2, 0, 0],
          [0, 1, 0, 1],
          [0, 0, 1, 0],
        ],
      },
    },
  ]);
});

/** A camera whose picture changes all the time. */
async function fakeCamera(page: Page): Promise<void> {
  await page.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = async () => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 160, height: 120 });
      const draw = canvas.getContext('2d')!;
      let hue = 0;
      setInterval(() => {
        draw.fillStyle = `hsl(${(hue += 17)} 80% 50%)`;
        draw.fillRect(0, 0, 160, 120);
      }, 50);
      return canvas.captureStream();
    };
  });
}

test('bursts of the camera into labels: held with pointer and keys, pressed twice, undone, used', async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await fakeCamera(page);
  await page.goto('#/finetune?step=data');
  await page.getByRole('button', { name: 'Record labels' }).click();
  const dialog = page.getByRole('dialog', { name: 'Record pictures of labels' });
  await dialog.getByLabel('Name of label 1').fill('cup');
  await dialog.getByLabel('Name of label 2').fill('cup');
  await expect(dialog.getByText('There are two labels “cup”.')).toBeVisible();
  await dialog.getByLabel('Name of label 2').fill('no cup');
  const labels = dialog.getByRole('listitem');
  const count = async (label: number) => Number(/(\d+) picture/.exec((await labels.nth(label).textContent()) ?? '')![1]);
  /** Recording until a label has so many pictures; no more come when it has ended. */
  const record = async (label: number, atLeast: number, start: () => Promise<void>, end: () => Promise<void>) => {
    await start();
    await expect.poll(() => count(label)).toBeGreaterThanOrEqual(atLeast);
    await end();
    const had = await count(label);
    await page.waitForTimeout(600);
    expect(await count(label)).toBe(had);
    return had;
  };

  const cup = dialog.getByRole('button', { name: /: cup$/ });
  await expect(cup).toBeEnabled();
  await cup.hover();
  const held = await record(
    0,
    3,
    () => page.mouse.down(),
    async () => {
      await expect(dialog.getByRole('button', { name: 'Recording: cup' })).toHaveAttribute('aria-pressed', 'true');
      // Let go somewhere else.
      await page.mouse.move(5, 5);
      await page.mouse.up();
    },
  );
  await expect(labels.nth(0).getByRole('presentation')).toHaveCount(Math.min(8, held));
  const none = dialog.getByRole('button', { name: /: no cup$/ });
  await none.focus();
  await record(
    1,
    2,
    () => page.keyboard.down('Space'),
    () => page.keyboard.up('Space'),
  );
  await dialog.getByLabel('One press starts, another stops, without holding').check();
  const both = await record(
    1,
    4,
    () => none.click(),
    () => none.click(),
  );
  await expectNoViolations(page);

  await dialog.getByRole('button', { name: 'Undo the last burst' }).click();
  expect(await count(1)).toBeLessThan(both);
  expect(await count(0)).toBe(held);
  const first = await count(1);
  await record(
    1,
    first + 2,
    () => none.click(),
    () => none.click(),
  );
  await record(
    0,
    held + 1,
    () => cup.click(),
    () => cup.click(),
  );
  const all = (await count(0)) + (await count(1));
  await expect(dialog.getByLabel('Hold the last burst of every label out')).toBeChecked();

  await page.keyboard.press('Escape');
  await expect(dialog.getByText(`Throw ${all} pictures away?`)).toBeVisible();
  await dialog.getByRole('button', { name: 'Keep recording' }).click();
  await dialog.getByLabel('The question asked of every picture').fill('What is on the table?');
  await dialog.getByLabel('The answer').fill('a {label}');
  await dialog.getByRole('button', { name: `Use these ${all} pictures` }).click();
  await expect(page.getByText(`${all} records with ${all} pictures came in`)).toBeVisible();
  const last = page.getByRole('article', { name: '1-001', exact: true });
  await expect(last.getByLabel('Question of 1-001')).toHaveValue('What is on the table?');
  await expect(last.getByLabel('Answer of 1-001')).toHaveValue('a cup');
  await expect(page.getByRole('radio', { name: `Held out ${all - held - first}` })).toBeVisible();
});

test('a camera that is not allowed says so, with what to do', async ({ page }) => {
  await page.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = async () => {
      throw new DOMException('no', 'NotAllowedError');
    };
  });
  await page.goto('#/finetune?step=data');
  await page.getByRole('button', { name: 'Record labels' }).click();
  const dialog = page.getByRole('dialog', { name: 'Record pictures of labels' });
  await expect(dialog).toContainText(/This page may not use the camera\.\s*Allow the camera for this page/);
  await page.keyboard.press('Escape');
  await expect(dialog).toHaveCount(0);
});
