import { readFile } from 'node:fs/promises';
import type { Page } from '@playwright/test';
import { goldenFolder } from '../goldens/golden-files.ts';
import { expectShortTasks } from '../support/main-thread.ts';
import { goldenModel } from './fake-hub.ts';
import { expect, test } from './fixtures.ts';

/** A small dataset of drawn pictures, some of it held out, chosen for a run. */
async function drawData(page: Page, pictures: number): Promise<void> {
  await page.goto('#/finetune');
  await page.getByRole('button', { name: 'Draw examples' }).click();
  await page.getByLabel('Pictures to draw from').fill(String(pictures));
  await page.getByRole('button', { name: 'Draw', exact: true }).click();
  await page.getByRole('button', { name: 'Set up the run' }).click();
  await expect(page.getByRole('region', { name: 'Data of the run' })).toContainText(/[1-9]\d* held out/);
}

/** Short steps that are measured often. */
async function setUp(page: Page, steps: number): Promise<void> {
  await page.getByRole('radio', { name: /LoRA adapter/ }).check();
  await page.getByLabel('Keep the old abilities').uncheck();
  await page.getByText('More settings').click();
  for (const [label, value] of [
    ['Steps', steps],
    ['Batch', 1],
    ['Warm-up', 2],
    ['Checkpoint every', 5],
    ['Held-out loss every', 10],
    ['Sample answers every', 10],
    ['Sample questions', 2],
    ['Most tiles a picture', 1],
  ] as const)
    await page.getByLabel(label, { exact: true }).fill(String(value));
}

/** A screen lock that is always granted; `screenLocks` counts those that are held. */
async function grantScreenLock(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const held = { count: 0 };
    const request = async () => {
      held.count++;
      const release = async () => {
        held.count--;
        lock.dispatchEvent(new Event('release'));
      };
      const lock = Object.assign(new EventTarget(), { release });
      return lock;
    };
    Object.defineProperty(navigator, 'wakeLock', { value: { request } });
    Object.assign(window, { screenLocks: held });
  });
}

const screenLocks = (page: Page) => page.evaluate(() => (window as unknown as { screenLocks: { count: number } }).screenLocks.count);

const progress = (page: Page) => page.getByRole('progressbar', { name: 'Progress of the run' });
const stepsDone = async (page: Page) => Number(await progress(page).getAttribute('value'));

test('from nothing to a trained adapter: watch, pause, reload, resume, take the result', async ({ page }) => {
  await grantScreenLock(page);
  // So many that a fast machine has not finished them before the reload in the middle.
  const steps = 200;
  await drawData(page, 4);
  await setUp(page, steps);
  await expect(page.getByText('It fits.')).toBeVisible();
  await expectShortTasks(page, 'starting and watching a run', async () => {
    await page.getByRole('button', { name: 'Start the run' }).click();
    await expect.poll(() => stepsDone(page)).toBeGreaterThanOrEqual(6);
  });

  await test.step('the run names itself in the address and draws its course', async () => {
    await expect(page).toHaveURL(/step=run.*run=[\w-]+|run=[\w-]+.*step=run/);
    await expect(page.getByRole('img', { name: /^Loss \S+ at step 1,/ })).toBeVisible();
  });

  await test.step('the screen stays on, and the list of runs knows the last step', async () => {
    await expect(page.getByText('The screen stays on.')).toBeVisible();
    expect(await screenLocks(page)).toBe(1);
    await page.getByRole('link', { name: /Result/ }).click();
    await expect(page.getByRole('article')).toContainText(/running · ([6-9]|\d{2,3}) of 200 steps/);
    await page.goBack();
  });

  let paused = 0;
  await test.step('pause leaves a checkpoint; a reload finds the run there', async () => {
    await page.getByRole('button', { name: 'Pause' }).click();
    await expect(page.getByText('Paused: a checkpoint is kept')).toBeVisible();
    expect(await screenLocks(page)).toBe(0);
    paused = await stepsDone(page);
    await page.reload();
    await expect(page.getByRole('button', { name: 'Resume' })).toBeEnabled();
    expect(await stepsDone(page)).toBe(paused);
  });

  await test.step('a reload in the middle costs at most the steps since the last checkpoint', async () => {
    await page.getByRole('button', { name: 'Resume' }).click();
    // Behind the pause's own checkpoint there is one every five steps.
    await expect.poll(() => stepsDone(page)).toBeGreaterThanOrEqual(paused + 6);
    const reached = await stepsDone(page);
    page.once('dialog', (dialog) => void dialog.accept());
    await page.reload();
    await expect(page.getByRole('button', { name: 'Resume' })).toBeEnabled();
    const kept = await stepsDone(page);
    expect(kept).toBeGreaterThan(paused);
    expect(kept).toBeGreaterThanOrEqual(reached - 5);
    expect(kept % 5).toBe(0);
    await page.getByRole('button', { name: 'Resume' }).click();
    await expect(page.getByText('Finished.', { exact: true })).toBeVisible({ timeout: 90_000 });
    expect(await stepsDone(page)).toBe(steps);
  });

  await test.step('base and tuned answers stand beside each other', async () => {
    const samples = page.getByRole('region', { name: 'Answers to held-out questions' });
    await expect(samples.getByText('Base', { exact: true })).toHaveCount(2);
    await expect(samples.getByText('Tuned', { exact: true })).toHaveCount(2);
    await expect(samples.getByRole('img').first()).toBeVisible();
  });

  await test.step('the report is one page, and the adapter a ZIP of PEFT’s two files', async () => {
    await page.getByRole('button', { name: 'To the result' }).click();
    const [report] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Report', exact: true }).click()]);
    const html = await readFile(await report.path(), 'utf8');
    expect(html).toContain('200 of 200');
    expect(html.match(/<svg/g)!.length).toBeGreaterThanOrEqual(4);
    expect(html).toMatch(/<img src="data:image\/png/);
    const [adapter] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Adapter' }).click()]);
    const zip = await readFile(await adapter.path(), 'latin1');
    for (const name of ['adapter_model.safetensors', 'adapter_config.json']) expect(zip).toContain(name);
    await expect(page.getByRole('link', { name: 'Try it in Chat' })).toHaveAttribute('href', /#\/chat\?.*adapters=/);
  });

  await test.step('a run can be renamed and deleted', async () => {
    await page.getByRole('button', { name: 'Rename' }).click();
    await page.getByRole('textbox', { name: 'Name' }).fill('My first run');
    await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click();
    await expect(page.getByRole('heading', { name: 'My first run' })).toBeVisible();
    await page.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await expect(page.getByText('None yet: choose data, then start one.')).toBeVisible();
  });
});

test('settings: wrong values are said beside their controls, and the run file goes out and in', async ({ page }) => {
  await drawData(page, 2);
  const start = page.getByRole('button', { name: 'Start the run' });
  await expect(page.getByRole('radio', { name: /Decoder and connector/ })).toBeChecked();
  await expect(page.getByLabel('Keep the old abilities')).toBeChecked();
  await page.getByRole('radio', { name: /LoRA adapter/ }).check();
  await page.getByLabel('Batch', { exact: true }).fill('0');
  await expect(page.getByText('At least 1.').first()).toBeVisible();
  await expect(start).toBeDisabled();
  await page.getByLabel('Batch', { exact: true }).fill('2');
  await expect(start).toBeEnabled();

  await page.getByLabel('Batch', { exact: true }).fill('4096');
  await expect(page.getByText('It does not fit as it is set, but it can.')).toBeVisible();
  await page.getByRole('button', { name: 'Use the setting that fits' }).click();
  await expect(page.getByText('It fits.')).toBeVisible();
  expect(Number(await page.getByLabel('Batch', { exact: true }).inputValue())).toBeLessThan(4096);

  await page.getByLabel('Base weights').selectOption('4 bits (QLoRA)');
  await expect(page.getByText('stays packed in memory')).toBeVisible();
  await page.getByRole('radio', { name: /Connector only/ }).check();
  await page.getByText('Run file', { exact: true }).click();
  await expect(page.getByRole('region', { name: 'Run file' })).toContainText('"trainable": [\n    "connector"\n  ]');
  const file = {
    model: 'nano-d',
    data: 'x',
    steps: 7,
    lora: { rank: 3, init: '../elsewhere' },
    optimizer: { lr: 0.01 },
    quantize: { bits: 8 },
  };
  await page
    .getByLabel('Run file to take settings from')
    .setInputFiles({ name: 'run.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(file)) });
  await expect(page.getByRole('radio', { name: /LoRA adapter/ })).toBeChecked();
  await expect(page.getByText('It starts from an adapter that is not in this browser')).toBeVisible();
  await expect(page.getByLabel('Base weights')).toHaveValue('8');
  await expect(page.getByLabel('Steps', { exact: true })).toHaveValue('7');
  await expect(page.getByLabel('Learning rate', { exact: true })).toHaveValue('0.01');
});

test('a run on a dropped model asks for its folder after a reload; a photo becomes a record', async ({ page }) => {
  await page.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = async () => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 48 });
      const draw = canvas.getContext('2d')!;
      setInterval(() => draw.fillRect(0, 0, 64, 48), 50);
      return canvas.captureStream();
    };
  });
  const model = await goldenModel('nvlm-d');
  // As a conversion leaves it behind.
  const index = { weight_map: { 'mlp1.0.weight': 'model-00001-of-00001.safetensors' } };
  model.set('model.safetensors.index.json', Buffer.from(JSON.stringify(index)));
  await page.goto('#/models');
  const chosen = [...model].map(([name, buffer]) => ({ name, mimeType: '', buffer }));
  await page.getByLabel('Choose files').setInputFiles(chosen);
  await page.getByRole('article', { name: 'Plan of your files' }).getByRole('button', { name: 'Load' }).click();
  await expect(page.getByRole('article', { name: 'your files', exact: true })).toContainText('loaded');

  await page.evaluate(() => (location.hash = '#/finetune'));
  await page.getByRole('button', { name: 'Photo' }).click();
  await page.getByRole('button', { name: 'Take the photo' }).click();
  await page.getByRole('textbox', { name: /^Question/ }).fill('What is it?');
  await page.getByRole('textbox', { name: /^Answer/ }).fill('black');
  await page.getByRole('button', { name: 'Set up the run' }).click();
  await page.getByLabel('Model', { exact: true }).selectOption('your files');
  await expect(page.getByRole('radio', { name: /LoRA adapter/ })).toBeChecked();
  await expect(page.getByLabel('Keep the old abilities')).not.toBeChecked();
  await expect(page.getByRole('region', { name: 'Memory' })).toContainText('holds model.safetensors and an index of other files');
  await page.getByLabel('Steps', { exact: true }).fill('500');
  await page.getByRole('button', { name: 'Start the run' }).click();
  await expect.poll(() => stepsDone(page)).toBeGreaterThanOrEqual(2);
  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(page.getByRole('button', { name: 'Resume', exact: true })).toBeEnabled();
  const paused = await stepsDone(page);
  await page.reload();
  await expect(page.getByRole('button', { name: 'Resume with the model folder “your files”…' })).toBeEnabled();
  await page.getByLabel('Model folder of the run').setInputFiles(goldenFolder('nvlm-d'));
  await expect.poll(() => stepsDone(page)).toBeGreaterThan(paused);
  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(page.getByRole('button', { name: 'Resume', exact: true })).toBeEnabled();
});

test.describe('without storage', () => {
  // Its cache would answer before the route does.
  test.use({ serviceWorkers: 'block' });
  test('a browser that gives the page none says so before a run, and offers none', async ({ page }) => {
    await page.route(/assets\/data\.worker-.*\.js$/, async (route) => {
      const response = await route.fetch();
      const without = `Object.defineProperty(navigator.storage, 'getDirectory', { value: undefined });
        Object.defineProperty(globalThis, 'indexedDB', { value: undefined });`;
      await route.fulfill({ response, body: `${without}\n${await response.text()}` });
    });
    await drawData(page, 2);
    await expect(page.getByRole('status').filter({ hasText: 'no storage' })).toContainText('open the page in an ordinary window');
    await expect(page.getByRole('button', { name: 'Start the run' })).toBeDisabled();
    await expect(page.getByText('A run needs storage')).toBeVisible();
  });
});
