import { readFile } from 'node:fs/promises';
import type { Page } from '@playwright/test';
import type { KeyRun } from '../../src/engine/inside/inside-api.ts';
import { sharesOf } from '../../src/engine/inside/key-runs.ts';
import { decodeImage } from '../../src/tiling/decode.ts';
import { expectShortTasks } from '../support/main-thread.ts';
import { expectAccessible } from './accessible.ts';
import { expect, test } from './fixtures.ts';

/** What the buttons save, of PLATFORM on two tiles and a thumbnail. */
async function expectExports(page: Page): Promise<void> {
  const saved = async (name: string) => {
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name, exact: true }).click();
    return readFile(await (await download).path());
  };
  const { width, height } = await decodeImage(await saved('PNG'));
  expect(width).toBe(1920);
  expect(height).toBeGreaterThan(600);

  // On a page without the policy that keeps markup out of ours.
  const viewer = await page.context().newPage();
  const svg = await viewer.evaluate((text) => {
    const document = new DOMParser().parseFromString(text, 'image/svg+xml');
    return {
      broken: document.querySelector('parsererror')?.textContent,
      title: document.querySelector('title')?.textContent,
      cells: document.querySelectorAll('rect > title').length,
      pictures: document.querySelectorAll('image[href^="data:image/png"]').length,
    };
  }, (await saved('SVG')).toString());
  await viewer.close();
  expect(svg).toEqual({ broken: undefined, title: expect.stringContaining('Read line 1. → PLATFORM'), cells: 48, pictures: 1 });

  const file = JSON.parse((await saved('JSON')).toString()) as {
    text: string;
    attention: { self: { keys: number; layers: number[]; heads: number; runs: KeyRun[]; weights: number[][] } };
    layout: { tiles: { thumbnail: boolean }[] };
  };
  expect(file.text).toBe('PLATFORM');
  expect(file.layout.tiles.map(({ thumbnail }) => thumbnail)).toEqual([false, false, true]);
  const { layers, heads, keys, runs, weights } = file.attention.self;
  expect(weights.map((of) => of.length)).toEqual(new Array(8).fill(layers.length * heads * keys));
  // A notebook finds the shares that stand on the screen.
  const row = new Float32Array(keys);
  for (const of of weights) of.forEach((value, at) => (row[at % keys]! += value / (weights.length * layers.length * heads)));
  await page.getByRole('button', { name: /^whole answer/ }).click();
  const region = page.getByRole('region', { name: 'In the sequence' });
  for (const { owner, tile, share } of sharesOf(row, runs)) {
    const name = {
      first: 'the first token',
      text: 'words of the prompt',
      tag: 'tile tags',
      answer: 'the answer so far',
      tile: `tile ${tile! + 1}`,
      thumbnail: 'the thumbnail',
    }[owner];
    await expect(region.getByRole('listitem').filter({ hasText: name })).toContainText(`${(100 * share).toFixed(1)} %`);
  }
}

test('an answer of the chat is seen from inside: its tokens, where they looked, what tiles are worth, and another answer beside it', async ({
  page,
}) => {
  await page.goto('#/chat?backend=wasm&picture=platform');
  await page.getByRole('button', { name: 'Read line 1.' }).click();
  await page.getByRole('link', { name: 'Why?' }).click();
  await expect(page.getByRole('heading', { name: 'PLATFORM' })).toBeVisible({ timeout: 60_000 });
  const tokens = page.getByRole('group', { name: 'Tokens of the answer' });
  await tokens.getByRole('button', { name: /^Token 1, "P"/ }).click();
  const readout = page.getByTestId('inside-readout');
  await expect(readout).toHaveText(/For “P”, the model looked most at/);
  await expect(page.getByText('What might have stood here')).toBeVisible();
  // Every share is there, and they are a whole.
  await expect(page.getByRole('region', { name: 'In the sequence' })).toContainText('sum 100 %');
  // Arrow keys walk over the answer and over the cells.
  await page.keyboard.press('ArrowRight');
  await expect(readout).toHaveText(/For “L”/);
  await page.getByRole('img', { name: /Arrow keys choose a cell/ }).press('ArrowRight');
  await expect(readout).toHaveText(/^tile 1, row 1, column 1: /);
  await expect(page.getByText('Who looked at this cell')).toBeVisible();
  await page.keyboard.press('Escape');
  await expectAccessible(page);

  await page.getByRole('radio', { name: 'What tiles are worth' }).check();
  const paint = page.getByRole('button', { name: /Paint 3 tiles over/ });
  await expect(paint.or(page.getByText('In nats of log p'))).toBeVisible();
  if (await paint.isVisible()) await paint.click();
  await expect(readout).toHaveText(/For “L”, tile 1 is worth most/);

  await page.getByRole('button', { name: 'tile 1', exact: true }).click();
  await expect(page.getByText(/log p of the first answer/)).toBeVisible({ timeout: 60_000 });
  await page.getByRole('button', { name: 'Look inside the changed answer' }).click();
  await expect(page.getByText('This is the answer under changes.')).toBeVisible({ timeout: 60_000 });

  // The address is the view, once the settings have come to rest.
  await expect(page).toHaveURL(/hide=0/);
  await expect(page).toHaveURL(/show=worth/);
  await page.getByRole('button', { name: 'Undo them' }).click();
  await expect(page.getByRole('heading', { name: 'PLATFORM' })).toBeVisible({ timeout: 60_000 });
  await expectExports(page);
});

test('what is stored of an example is there while its model is on the way, walks by keys, and gives way to the model', async ({ page }) => {
  let arrive: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (arrive = resolve));
  await page.route(/\/models\/nano-d\/.*\.safetensors$/, async (route) => {
    await gate;
    await route.continue();
  });
  await page.goto('#/inside?backend=wasm&picture=platform&prompt=Read%20line%201.');
  await expect(page.getByText(/^A stored result, as this model gave it; /)).toBeVisible();
  await expect(page.getByRole('heading', { name: 'PLATFORM' })).toBeVisible();
  await expect(page.getByRole('region', { name: 'In the sequence' })).toContainText('sum 100 %');
  await expect(page.getByText('Where another token was likeliest')).toBeVisible();
  // No control has the focus: arrows step, space plays to the end and pauses.
  const chosen = page.getByRole('group', { name: 'Tokens of the answer' }).getByRole('button', { pressed: true });
  await page.keyboard.press('ArrowRight');
  await expect(chosen).toHaveAccessibleName(/^Token 1, /);
  await page.keyboard.press('ArrowRight');
  await expect(chosen).toHaveAccessibleName(/^Token 2, /);
  await page.keyboard.press(' ');
  await expect(page.getByRole('button', { name: 'Pause' })).toBeVisible();
  await expect(chosen).toHaveAccessibleName(/^Token 3, /);
  await page.keyboard.press(' ');
  await expect(page.getByRole('button', { name: /^Play/ })).toBeVisible();
  arrive();
  await expect(page.getByRole('radio', { name: 'What cells say' })).toBeVisible({ timeout: 60_000 });
  await expect(page.getByText(/^A stored result/)).toHaveCount(0);
});

test('Inside opens six tiles and walks over their cells without a long task', async ({ page }) => {
  await page.goto('#/chat?backend=wasm&picture=six-tile-bars');
  await page.getByRole('heading', { name: 'Ask about the picture' }).waitFor();
  await expectShortTasks(page, 'Inside', async () => {
    await page.getByRole('navigation', { name: 'Screens' }).getByRole('link', { name: 'Inside' }).click();
    const cells = page.getByRole('img', { name: /Arrow keys choose a cell/ });
    await cells.waitFor({ timeout: 60_000 });
    for (const key of ['ArrowRight', 'ArrowDown', 'ArrowRight']) await cells.press(key);
    await page.getByRole('radio', { name: 'As cut' }).check();
    await page.getByRole('radio', { name: 'What cells say' }).check();
    await expect(page.getByTestId('inside-readout')).toHaveText(/column/);
    await page.waitForTimeout(300);
  });
});
