/**
 * The page from nothing to the first token of its first answer, about a picture of 6 tiles and a thumbnail, and how fast it
 * decodes: nano-d on wasm in a fresh browser profile each time, the built site on localhost.
 *
 * `npx tsx bench/page-chat.ts [RUNS]` after `npm run build`
 */
import { chromium, type Browser } from '@playwright/test';
import { serveSite } from '../tests/browser/static-server.ts';
import { findChromium } from '../tests/support/chromium.ts';
import { printReport } from './report.ts';

const QUESTION = 'Describe the image.';

interface Answer {
  firstTokenMs: number;
  tokensPerSecond: number;
}

async function coldAnswer(browser: Browser, url: string): Promise<Answer> {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(`${url}#/chat?backend=wasm&picture=six-tile-shapes`);
    // As soon as the picture is there, however much of the model is.
    await page.getByRole('heading', { name: 'Ask about the picture' }).waitFor();
    const composer = page.getByRole('textbox', { name: 'Your question' });
    await composer.fill(QUESTION);
    await composer.press('Enter');
    const facts = page.getByRole('article').getByText(/tokens\/s/);
    await facts.waitFor();
    const firstTokenMs = await page.evaluate(() => performance.getEntriesByName('first token')[0]!.startTime);
    return { firstTokenMs, tokensPerSecond: Number.parseFloat((await facts.textContent()) ?? '') };
  } finally {
    await context.close();
  }
}

const runs = Number(process.argv[2] ?? 5);
const { executablePath, args, env } = await findChromium();
const site = await serveSite('/');
const browser = await chromium.launch({ executablePath, args, env });
try {
  const answers: Answer[] = [];
  for (let run = 0; run < runs; run++) answers.push(await coldAnswer(browser, site.url));
  const where = { adapter: null, backend: 'wasm' as const, runtime: `Chromium ${browser.version()}` };
  printReport(
    { name: 'page: cold start to first token, 6 + 1 tiles, nano-d', unit: 'ms', samples: answers.map((a) => a.firstTokenMs), ...where },
    { name: 'page: decode, 6 + 1 tiles, nano-d', unit: 'tokens/s', samples: answers.map((a) => a.tokensPerSecond), ...where },
  );
} finally {
  await browser.close();
  await site.stop();
}
