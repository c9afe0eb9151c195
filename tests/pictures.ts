/**
 * The README's pictures of Chat, Tiles and Fine-tune, taken from the built site with the tests' own browser.
 *
 * `npx tsx tests/pictures.ts` after `npm run build`
 */
import { fileURLToPath } from 'node:url';
import { chromium } from '@playwright/test';
import { serveSite } from './browser/static-server.ts';
import { findChromium } from './support/chromium.ts';

const folder = fileURLToPath(new URL('../docs/', import.meta.url));
const { executablePath, args, env } = await findChromium();
const site = await serveSite('/');
const browser = await chromium.launch({ executablePath, args, env });
try {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: 'light', reducedMotion: 'reduce' });
  const page = await context.newPage();
  await page.goto(`${site.url}#/chat?picture=lunch`);
  const composer = page.getByRole('textbox', { name: 'Your question' });
  for (const [index, question] of ['Read everything.', 'How much is the EGG?', 'What is the total?'].entries()) {
    await composer.fill(question);
    await composer.press('Enter');
    await page.getByRole('article').nth(index).getByRole('button', { name: 'Retry' }).waitFor();
  }
  await page.screenshot({ path: `${folder}chat.png` });
  await page.goto(`${site.url}#/tiles?geometry=nano-d&picture=lunch`);
  await page.getByRole('heading', { name: 'What each model reads' }).waitFor();
  await page.waitForTimeout(1500);
  await page.screenshot({ path: `${folder}tiles.png` });
  await page.goto(`${site.url}#/finetune`);
  await page.getByRole('button', { name: 'Draw examples' }).click();
  await page.getByRole('button', { name: 'Draw', exact: true }).click();
  await page.getByRole('button', { name: 'Set up the run' }).click();
  await page.getByText('More settings').click();
  for (const [label, value] of [
    ['Steps', 80],
    ['Held-out loss every', 20],
    ['Sample answers every', 40],
  ] as const) {
    await page.getByLabel(label, { exact: true }).fill(String(value));
  }
  await page.getByRole('button', { name: 'Start the run' }).click();
  await page.getByRole('button', { name: 'To the result' }).waitFor({ timeout: 600_000 });
  await page.screenshot({ path: `${folder}finetune.png`, fullPage: true });
} finally {
  await browser.close();
  await site.stop();
}
