import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { goldenFolder } from '../goldens/golden-files.ts';
import { fakeFolder, fakeHub, goldenModel, goldenTextModel } from './fake-hub.ts';
import { expect, test } from './fixtures.ts';

interface GoldenChat {
  image: string | null;
  prompt: string;
  text: string;
  maxNewTokens: number;
}

const planOf = (page: Page, name: string) => page.getByRole('article', { name: `Plan of ${name}` });

/** Asks the golden question and holds the answer to the reference's. */
async function askGolden(page: Page): Promise<void> {
  const folder = goldenFolder('nvlm-d');
  const [chat] = JSON.parse(await readFile(join(folder, 'chat.json'), 'utf8')) as GoldenChat[];
  await page.locator('input[type=file][accept]').first().setInputFiles(join(folder, chat!.image!));
  await page.getByLabel('Your question').fill(chat!.prompt);
  await page.getByRole('button', { name: 'Send' }).click();
  const turn = page.getByRole('article').last();
  await expect(turn).toContainText('tokens/s');
  await expect(turn).toContainText(chat!.text);
}

/** Writes files into a folder of the browser's private storage. */
async function putFiles(page: Page, path: string[], files: Map<string, Buffer>): Promise<void> {
  const texts = [...files].map(([name, bytes]) => [name, bytes.toString('base64')] as const);
  await page.evaluate(
    async ([names, list]) => {
      let folder = await navigator.storage.getDirectory();
      for (const name of names) folder = await folder.getDirectoryHandle(name, { create: true });
      for (const [name, text] of list) {
        const stream = await (await folder.getFileHandle(name, { create: true })).createWritable();
        await stream.write(Uint8Array.from(atob(text), (char) => char.charCodeAt(0)));
        await stream.close();
      }
    },
    [path, texts] as const,
  );
}

test.beforeEach(async ({ page }) => {
  await page.addInitScript(() => localStorage.setItem('nvlm.chat', JSON.stringify({ maxNewTokens: 24 })));
});

test('a hub model is found, planned before its weights, loaded, asked, kept without a network and deleted', async ({
  page,
  pageErrors,
}) => {
  const hub = await fakeHub(page, { 'org/tiny-nvlm': await goldenModel('nvlm-d') });
  await page.goto('#/models');
  await page.getByLabel('Search Hugging Face').fill('tiny');
  await page.getByRole('button', { name: /org\/tiny-nvlm.*1.2 MB.*1,234 downloads/ }).click();
  const plan = planOf(page, 'tiny-nvlm');
  await expect(plan).toContainText('Fits');
  await expect(plan).toContainText(/Downloads 1.2 MB once/);
  expect(hub.weightBytes, 'weights before Load').toBe(0);
  await plan.getByLabel('Precision').selectOption('8 bits');
  await expect(plan.getByLabel('Group')).toHaveValue('64');
  await plan.getByLabel('Precision').selectOption('as published');
  await expect(plan).not.toHaveAttribute('aria-busy', 'true');
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations).toEqual([]);

  await plan.getByRole('button', { name: 'Load' }).click();
  const card = page.getByRole('article', { name: 'tiny-nvlm', exact: true });
  await expect(card).toContainText('loaded');
  await expect(card).toContainText(/Stored\s*1.2 MB in this browser/);
  await expect(page).toHaveURL(/model=hf:org\/tiny-nvlm/);
  await page.getByRole('link', { name: 'Chat' }).click();
  await askGolden(page);
  await page.getByRole('link', { name: 'See how it was tiled' }).click();
  await expect(page.getByLabel('Model shape')).toHaveValue('hf:org/tiny-nvlm');
  await expect(page.getByRole('alert')).toHaveCount(0);

  hub.offline = true;
  await page.goto('#/chat?model=hf:org/tiny-nvlm');
  await page.reload();
  await askGolden(page);

  await page.getByRole('link', { name: 'Models' }).click();
  await card.getByRole('button', { name: 'Delete stored' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect(card).toContainText(/Stored\s*not yet/);
  await card.getByRole('button', { name: 'Unload' }).click();
  await expect(card).toHaveCount(0);
  await page.getByLabel('Search Hugging Face').fill('tiny');
  await expect(page.getByRole('alert')).toContainText('huggingface.co');
  pageErrors.length = 0;
});

test('a link to a model that is not here fetches nothing of it before the visitor says so; a cancelled download goes on', async ({
  page,
}) => {
  const hub = await fakeHub(page, { 'org/tiny-nvlm': await goldenModel('nvlm-d') });
  let release!: () => void;
  hub.hold = new Promise((resolve) => (release = resolve));
  await page.goto('#/chat?model=hf:org/tiny-nvlm');
  const plan = planOf(page, 'tiny-nvlm');
  await expect(plan).toContainText('fetched from the Hugging Face hub');
  expect(hub.seen).toEqual([]);
  await plan.getByRole('button', { name: 'Look at it' }).click();
  await expect(plan).toContainText('Fits');
  expect(hub.weightBytes).toBe(0);
  await plan.getByRole('button', { name: 'Load' }).click();
  await expect(page.getByRole('progressbar')).toBeVisible();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByRole('progressbar')).toHaveCount(0);
  release();
  await plan.getByRole('button', { name: /^Load/ }).click();
  await expect(plan).toHaveCount(0);
  await expect(page.getByRole('radio', { name: 'tiny-nvlm' })).toBeChecked();
});

test('a gated model says how to get it; the token goes to the hub and nowhere else', async ({ page, pageErrors }) => {
  const hub = await fakeHub(page, { 'gated/tiny-nvlm': await goldenModel('nvlm-d') });
  await page.goto('#/models');
  await page.getByLabel('Id or address').fill('gated/tiny-nvlm');
  await page.getByRole('button', { name: 'Plan', exact: true }).click();
  const plan = planOf(page, 'tiny-nvlm');
  await expect(plan.getByRole('alert')).toContainText('Accept the licence on its page, huggingface.co/gated/tiny-nvlm');
  await page.getByText('Token for gated or private models').click();
  await page.getByLabel('Hugging Face token').fill('hf_secret');
  await page.getByRole('button', { name: 'Use', exact: true }).click();
  await expect(plan).toContainText('Fits');
  await plan.getByRole('button', { name: 'Load' }).click();
  await expect(page.getByRole('article', { name: 'tiny-nvlm', exact: true })).toContainText('loaded');

  expect(hub.seen.some(({ token }) => token === 'Bearer hf_secret')).toBe(true);
  expect(hub.seen.filter(({ url }) => url.includes('hf_secret'))).toEqual([]);
  expect(page.url()).not.toContain('hf_secret');
  expect(await page.content()).not.toContain('hf_secret');
  expect(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }))).not.toContain('hf_secret');
  await page.reload();
  await expect(page.getByText('A token is in use')).toHaveCount(0);
  pageErrors.length = 0;
});

test('a folder on the web is planned, loaded with and without room for it, asked, and fetched anew when it has changed', async ({
  page,
  context,
}) => {
  const address = 'https://models.example/mine/tiny/';
  const files = await goldenModel('nvlm-d');
  await fakeFolder(page, address, files);
  await page.goto('#/models');
  await page.getByLabel('Id or address').fill(`${address}config.json`);
  const plan = page.getByRole('button', { name: 'Plan', exact: true }).first();
  // A page that opens without any room keeps models in memory from the start.
  await expect(page.getByRole('article', { name: 'nano-x', exact: true })).toContainText('not yet');
  const quota = await context.newCDPSession(page);
  const origin = new URL(page.url()).origin;
  await quota.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 1 });
  await plan.click();
  await expect(planOf(page, 'tiny')).toContainText(/Downloads 1.2 MB. This browser has only 0 B free, so they are not kept/);
  await planOf(page, 'tiny').getByRole('button', { name: 'Load' }).click();
  const card = page.getByRole('article', { name: 'tiny', exact: true });
  await expect(card).toContainText(/not kept.*Delete a run, a dataset or a stored model/);
  await card.getByRole('button', { name: 'Unload' }).click();

  await quota.send('Storage.overrideQuotaForOrigin', { origin });
  await plan.click();
  await expect(planOf(page, 'tiny')).toContainText(/Downloads 1.2 MB once/);
  await planOf(page, 'tiny').getByRole('button', { name: 'Load' }).click();
  await expect(card).toContainText(/Stored\s*1.2 MB in this browser/);
  await page.getByRole('link', { name: 'Chat' }).click();
  await askGolden(page);
  await expect(page).toHaveURL(/model=url:https:\/\/models.example\/mine\/tiny\//);

  files.set('config.json', Buffer.from('{"model_type":"other"}'));
  await page.reload();
  await expect(page.getByRole('alert').first()).toContainText('describes "other"');
});

test('the model of a finished run is loaded from its folder and asked', async ({ page }) => {
  await page.goto('#/models');
  await putFiles(page, ['nvlm-playground', 'runs', 'abc123', 'model'], await goldenModel('nvlm-d'));
  await page.goto('#/chat?model=run:abc123');
  await expect(planOf(page, 'abc123')).toContainText('are read from this browser’s storage');
  await planOf(page, 'abc123').getByRole('button', { name: 'Load' }).click();
  await expect(planOf(page, 'abc123')).toHaveCount(0);
  await askGolden(page);
});

test('a folder that was chosen once is offered again, as long as it is there', async ({ page }) => {
  // Stands in for the browser's own dialog, which no test can press.
  await page.addInitScript(() =>
    Object.assign(window, {
      showDirectoryPicker: async () => (await navigator.storage.getDirectory()).getDirectoryHandle('my-model', { create: true }),
    }),
  );
  await page.goto('#/models');
  await putFiles(page, ['my-model'], await goldenModel('nvlm-d'));
  await page.getByRole('button', { name: 'Choose a folder' }).click();
  await expect(planOf(page, 'my-model')).toContainText('Fits');
  await page.reload();
  const known = page.getByRole('list', { name: 'Folders opened before' });
  await expect(known).toBeVisible();
  expect((await new AxeBuilder({ page }).include('[class*=drop]').analyze()).violations).toEqual([]);
  await known.getByRole('button', { name: 'my-model', exact: true }).click();
  await planOf(page, 'my-model').getByRole('button', { name: 'Load' }).click();
  await page.getByRole('link', { name: 'Chat' }).click();
  await askGolden(page);

  await page.evaluate(async () => (await navigator.storage.getDirectory()).removeEntry('my-model', { recursive: true }));
  await page.goto('#/models');
  await known.getByRole('button', { name: 'my-model', exact: true }).click();
  await expect(page.getByRole('alert')).toContainText('my-model cannot be read any more');
  await expect(known).toHaveCount(0);
});

test('chosen files load, a text model takes no pictures, and what does not fit together is refused at once', async ({ page }) => {
  const files = await goldenTextModel('nvlm-d');
  const chosen = [...files].map(([name, buffer]) => ({ name, mimeType: '', buffer }));
  await page.goto('#/models');
  await page.getByLabel('Choose files').setInputFiles(chosen);
  const plan = planOf(page, 'your files');
  await expect(plan).toContainText('text alone, no pictures');
  await expect(plan).toContainText('are read from your disk');
  await plan.getByRole('button', { name: 'Load' }).click();
  await expect(page.getByRole('article', { name: 'your files', exact: true })).toContainText('loaded');
  await page.getByRole('link', { name: 'Chat' }).click();
  await expect(page.getByText('it takes no pictures, and questions go to it without this one')).toBeVisible();
  await expect(page.getByRole('radio', { name: 'Type your own' })).toBeDisabled();
  await page.getByLabel('Your question').fill('Hello');
  await page.getByRole('button', { name: 'Send' }).click();
  await expect(page.getByRole('article').last()).toContainText('tokens/s');

  await page.getByRole('link', { name: 'Models' }).click();
  const mixed = chosen.map((file) => (file.name === 'config.json' ? { ...file, buffer: withOneLayerLess(file.buffer) } : file));
  await page.getByLabel('Choose files').setInputFiles(mixed);
  await expect(plan.getByRole('alert')).toContainText(/layers/);
  await expect(plan.getByRole('button', { name: 'Load' })).toBeDisabled();
});

function withOneLayerLess(config: Buffer): Buffer {
  const json = JSON.parse(config.toString()) as { num_hidden_layers: number };
  return Buffer.from(JSON.stringify({ ...json, num_hidden_layers: json.num_hidden_layers - 1 }));
}
