import { writeFile } from 'node:fs/promises';
import type { Page } from '@playwright/test';
import { encodePng } from '../../src/tiling/encode-png.ts';
import { expectShortTasks } from '../support/main-thread.ts';
import { expect, test } from './fixtures.ts';

const screens = (page: Page) => page.getByRole('navigation', { name: 'Screens' });
const cut = (page: Page) => page.getByTestId('cut');

async function openScreen(page: Page, name: string): Promise<void> {
  await screens(page).getByRole('link', { name }).click();
}

/** What a frame and the transitions after it draw belongs to what was waited for. */
const settle = (page: Page) => page.waitForTimeout(300);

/** Twelve tiles, each of them different. */
async function largePicture(): Promise<Buffer> {
  const [width, height] = [3000, 2250];
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) {
      data[at] = x >> 4;
      data[at + 1] = y >> 4;
      data[at + 2] = ((x >> 5) ^ (y >> 5)) << 3;
    }
  }
  return Buffer.from(await encodePng({ width, height, data }));
}

test('the page starts, loads a model and answers without a long task', async ({ page }) => {
  await expectShortTasks(page, 'cold start to the end of the first answer', async () => {
    await page.goto('about:blank');
    await page.goto('#/chat?backend=wasm&picture=six-tile-shapes');
    await page.getByRole('heading', { name: 'Ask about the picture' }).waitFor();
    const composer = page.getByRole('textbox', { name: 'Your question' });
    await composer.fill('Describe the image.');
    await composer.press('Enter');
    await expect(page.getByRole('article').getByText(/tokens\/s/)).toBeVisible();
    await expect(page.locator('[class*=gallery] img')).toHaveCount(10);
  });
});

test('typing a picture of one’s own needs no long task', async ({ page }) => {
  await page.goto('#/chat');
  await page.getByRole('heading', { name: 'Ask about the picture' }).waitFor();
  await expectShortTasks(page, 'type your own', async () => {
    await page.getByRole('radio', { name: 'Type your own' }).check();
    await page.getByRole('textbox', { name: /One word/ }).pressSequentially('TRAIN 7');
    for (const kind of ['Receipt', 'Bars', 'Shapes', 'Note']) {
      await page.getByRole('radio', { name: kind, exact: true }).check();
      await settle(page);
    }
    await page.getByRole('radio', { name: 'Examples' }).check();
  });
});

test('Tiles opens, follows its controls and takes twelve large tiles without a long task', async ({ page }, testInfo) => {
  const large = testInfo.outputPath('large.png');
  await writeFile(large, await largePicture());
  await page.goto('#/chat');
  await page.getByRole('heading', { name: 'Ask about the picture' }).waitFor();
  await expect(page.getByRole('progressbar')).toHaveCount(0);

  await expectShortTasks(page, 'opening Tiles', async () => {
    await openScreen(page, 'Chat');
    await openScreen(page, 'Tiles');
    await cut(page).waitFor();
    await settle(page);
  });
  await expectShortTasks(page, 'moving the controls', async () => {
    const most = page.getByRole('slider', { name: /Max tiles/ });
    for (const tiles of ['12', '3', '6']) {
      await most.fill(tiles);
      await settle(page);
    }
    for (const size of ['XL', 'S']) await page.getByRole('radio', { name: size, exact: true }).check();
    for (const view of ['Original', 'Resized', 'Tiles']) await page.getByRole('radio', { name: view, exact: true }).check();
    await settle(page);
  });
  await page.getByRole('slider', { name: /Max tiles/ }).fill('12');
  for (const size of ['448', '896']) {
    await page.getByRole('spinbutton', { name: /Tile size/ }).fill(size);
    await expectShortTasks(page, `twelve tiles of ${size} px`, async () => {
      await page.getByRole('button', { name: 'Other picture' }).click();
      // By its path: bytes would pass through the page's main thread.
      await page.getByTestId('choose-picture').setInputFiles(large);
      await expect(page.getByRole('button', { name: 'Other picture', expanded: false })).toBeVisible();
      await expect(cut(page)).toContainText('12 tiles + thumbnail');
      await settle(page);
    });
  }
});

test('the other screens open without a long task', async ({ page }) => {
  await page.goto('#/chat');
  await page.getByRole('heading', { name: 'Ask about the picture' }).waitFor();
  for (const name of ['Fine-tune', 'Models', 'Device', 'Chat']) {
    await expectShortTasks(page, `opening ${name}`, async () => {
      await openScreen(page, name);
      await settle(page);
    });
  }
});
