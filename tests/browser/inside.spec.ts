import { readFile } from 'node:fs/promises';
import { expectShortTasks } from '../support/main-thread.ts';
import { expectAccessible } from './accessible.ts';
import { expect, test } from './fixtures.ts';

test('an answer of the chat is seen from inside: its tokens, where they looked, what tiles are worth, and another answer beside it', async ({ page }) => {
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

  // The address is the view.
  expect(page.url()).toMatch(/hide=0/);
  expect(page.url()).toMatch(/show=worth/);
  await page.getByRole('button', { name: 'Undo them' }).click();
  await expect(page.getByRole('heading', { name: 'PLATFORM' })).toBeVisible({ timeout: 60_000 });
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'JSON', exact: true }).click();
  const file = JSON.parse(await readFile(await (await download).path(), 'utf8')) as { text: string; attention: { self: { keys: number; layers: number[]; heads: number; weights: number[][] } }; layout: { tiles: unknown[] } };
  expect(file.text).toBe('PLATFORM');
  expect(file.layout.tiles).toHaveLength(3);
  const { layers, heads, keys, weights } = file.attention.self;
  expect(weights.map((of) => of.length)).toEqual(new Array(8).fill(layers.length * heads * keys));
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
