/**
 * How soon a first visit asks for its model: from the start of the navigation (`performance.timeOrigin`) to when the server has the first
 * request for weights, in a fresh browser profile each time, the built site on localhost. The clock of the machine, so a busy one counts.
 *
 * `npx tsx bench/first-visit.ts [VISITS]` after `npm run build`
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium, type Browser } from '@playwright/test';
import { serveSite, type StaticSite } from '../tests/browser/static-server.ts';
import { findChromium } from '../tests/support/chromium.ts';
import { printReport } from './report.ts';

async function firstRequestMs(browser: Browser, site: StaticSite): Promise<number> {
  const context = await browser.newContext();
  try {
    site.seen.length = 0;
    const page = await context.newPage();
    await page.goto(site.url);
    const origin = await page.evaluate(() => performance.timeOrigin);
    for (;;) {
      const first = site.seen.find(({ path }) => path.endsWith('.safetensors'));
      if (first) return first.atMs - origin;
      await sleep(10);
    }
  } finally {
    await context.close();
  }
}

const visits = Number(process.argv[2] ?? 9);
const { executablePath, args, env } = await findChromium();
const site = await serveSite('/', { ranges: true });
const browser = await chromium.launch({ executablePath, args, env });
try {
  const samples: number[] = [];
  for (let visit = 0; visit < visits; visit++) samples.push(await firstRequestMs(browser, site));
  const runtime = `Chromium ${browser.version()}`;
  printReport({
    name: 'page: first visit, navigation to the first request for weights',
    unit: 'ms',
    samples,
    adapter: null,
    backend: 'wasm',
    runtime,
  });
} finally {
  await browser.close();
  await site.stop();
}
