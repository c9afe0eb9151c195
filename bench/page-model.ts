/**
 * A checkpoint in the page, as a visitor has it: from a local server into a fresh browser profile on wasm, then a question about a
 * photograph of 640 × 480 pixels: time to load, to the first token, tokens a second, and the most memory that the browser held.
 *
 * `npx tsx bench/page-model.ts FOLDER [MOST TILES] [TOKENS]` after `npm run build`, on Linux, with a folder from
 * `npx nvlm synth --like smolvlm-256m --out FOLDER`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { chromium } from '@playwright/test';
import { encodePng } from '../src/tiling/encode-png.ts';
import { serveCheckpoint } from '../tests/support/checkpoint-server.ts';
import { findChromium } from '../tests/support/chromium.ts';
import { DescendantMemory, descendantSeconds } from '../tests/support/descendants.ts';
import { printReport } from './report.ts';

const [folder, tiles, tokens = '32'] = process.argv.slice(2);
if (!folder) throw new Error('Name a checkpoint folder.');
/** On a machine with little to spare; a test would have lost its patience. */
const PATIENCE_MS = 30 * 60_000;

async function photograph(): Promise<Buffer> {
  const [width, height] = [640, 480];
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) data[i] = 127 + 120 * Math.sin(i / 901 + (i % 3)) * Math.cos(i / (width * 37));
  return Buffer.from(await encodePng({ width, height, data }));
}

const { executablePath, args, env } = await findChromium();
const server = await serveCheckpoint(resolve(folder), 'dist/');
// A profile on disk: a private one keeps what it stores in memory.
const profile = await mkdtemp(join(tmpdir(), 'nvlm-page-'));
const memory = new DescendantMemory();
const browser = await chromium.launchPersistentContext(profile, { executablePath, args, env });
const page = await browser.newPage();
page.setDefaultTimeout(PATIENCE_MS);
try {
  const settings = { maxNewTokens: Number(tokens), maxTiles: tiles ? Number(tiles) : null };
  await page.addInitScript((chat) => localStorage.setItem('nvlm.chat', JSON.stringify(chat)), settings);
  await page.goto(`${server.url}#/models?backend=wasm`);
  await page.getByLabel('Id or address').fill(`${server.url}checkpoint/`);
  await page.getByRole('button', { name: 'Plan', exact: true }).first().click();
  const start = performance.now();
  await page.getByRole('article', { name: 'Plan of checkpoint' }).getByRole('button', { name: 'Load' }).click();
  await page.getByRole('article', { name: 'checkpoint', exact: true }).getByText('loaded', { exact: true }).waitFor();
  const loadMs = performance.now() - start;

  await page.getByRole('link', { name: 'Chat' }).click();
  await page.getByTestId('choose-picture').setInputFiles({ name: 'photo.png', mimeType: 'image/png', buffer: await photograph() });
  const cut = page.getByRole('figure').getByText(/visual tokens/);
  await cut.and(page.getByText('640 × 480 px')).waitFor();
  const what = `${basename(folder)}, ${(await cut.textContent())!.replaceAll(/\s+/g, ' ')}`;
  const composer = page.getByRole('textbox', { name: 'Your question' });
  await composer.fill('What is in this picture?');
  const asked = await page.evaluate(() => performance.now());
  const before = descendantSeconds();
  await composer.press('Enter');
  // The answer is empty until then; how long somebody waits hangs on what else the machine does, this does not.
  await page.waitForFunction(() => performance.getEntriesByName('first token').length > 0, undefined, { polling: 200 });
  const processorSeconds = descendantSeconds() - before;
  const facts = page.getByRole('article').getByText(/tokens\/s/);
  await facts.waitFor();
  const firstTokenMs = (await page.evaluate(() => performance.getEntriesByName('first token')[0]!.startTime)) - asked;
  const tokensPerSecond = Number.parseFloat((await facts.textContent()) ?? '');
  memory.stop();
  const where = {
    adapter: null,
    backend: 'wasm' as const,
    runtime: `Chromium ${await page.evaluate(() => navigator.userAgent.match(/Chrome\/([\d.]+)/)?.[1] ?? '')}`,
  };
  printReport(
    { name: `page: from the server to loaded, ${what}`, unit: 's', samples: [loadMs / 1000], ...where },
    { name: `page: question to first token, ${what}`, unit: 's', samples: [firstTokenMs / 1000], ...where },
    { name: `page: question to first token, processor time, ${what}`, unit: 's', samples: [processorSeconds], ...where },
    { name: `page: decode, ${what}`, unit: 'tokens/s', samples: [tokensPerSecond], ...where },
    { name: `page: most memory of all browser processes, ${what}`, unit: 'MB', samples: [memory.peak / 1e6], ...where },
  );
} finally {
  memory.stop();
  await browser.close();
  await server.close();
  await rm(profile, { recursive: true, force: true });
}
