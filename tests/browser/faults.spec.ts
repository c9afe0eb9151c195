/** What browsers and their users do to a model that is being loaded or stored: an error or recovery, never another answer. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import type { GoldenChat } from '../goldens/check.ts';
import { goldenFolder } from '../goldens/golden-files.ts';
import { serveCheckpoint, type CheckpointServer } from '../support/checkpoint-server.ts';
import { expect, test } from './fixtures.ts';

const NAME = 'model.safetensors';
/** Of weights that are on their way: the time in which something happens to them. */
const WAIT_MS = 500;
/** Of weights that are not to arrive. */
const HOLD_MS = 60_000;
const SHARD = `checkpoint/${NAME}`;
const folder = goldenFolder('nvlm-d');
let server: CheckpointServer;
let chat: GoldenChat;
let size = 0;

test.beforeAll(async () => {
  [chat] = JSON.parse(await readFile(join(folder, 'chat.json'), 'utf8')) as [GoldenChat];
  size = (await readFile(join(folder, NAME))).length;
});
test.beforeEach(async () => {
  server = await serveCheckpoint(folder);
});
test.afterEach(() => server.close());

const fetched = () => server.sent.get(SHARD) ?? 0;

async function openTab(page: Page): Promise<Page> {
  await page.goto(server.url);
  await page.waitForFunction(() => 'harness' in window);
  return page;
}

const open = (page: Page) => page.evaluate(() => window.harness.worker.openModel());
const remove = (page: Page) => page.evaluate(() => window.harness.worker.deleteModel());
const entry = (page: Page) => page.evaluate(() => window.harness.worker.modelEntry());

async function answersRight(page: Page): Promise<void> {
  expect(await page.evaluate((golden) => window.harness.worker.askModel(golden), chat)).toEqual({ value: chat.text, error: null });
}

async function opensKept(page: Page): Promise<void> {
  expect(await open(page)).toEqual({ value: { notKept: null }, error: null });
}

test('tabs that load one model at once answer right, fetch it once each at most, and leave it stored', async ({ context }) => {
  const tabs = [await openTab(await context.newPage()), await openTab(await context.newPage()), await openTab(await context.newPage())];
  server.delayMs = WAIT_MS;
  for (const outcome of await Promise.all(tabs.map(open))) expect(outcome).toEqual({ value: { notKept: null }, error: null });
  for (const tab of tabs) await answersRight(tab);
  expect(fetched()).toBeLessThanOrEqual(tabs.length * size);
  const before = fetched();
  await opensKept(await openTab(tabs[0]!));
  await answersRight(tabs[0]!);
  expect(fetched()).toBe(before);
});

test('a tab that deletes a model harms none that loads it or has it', async ({ context }) => {
  const [one, two] = [await openTab(await context.newPage()), await openTab(await context.newPage())];
  server.delayMs = WAIT_MS;
  const loading = open(one);
  await expect.poll(fetched, { intervals: [5] }).toBeGreaterThan(size / 3);
  expect(await remove(two)).toMatchObject({ error: { code: 'busy', message: expect.stringContaining('Another tab') } });
  expect(await loading).toEqual({ value: { notKept: null }, error: null });
  server.delayMs = 0;

  // It reads from storage now; what goes on under it is fetched.
  const reading = open(two);
  const gone = await remove(one);
  expect(await reading).toMatchObject({ error: null });
  if (gone.error) expect(gone.error.code).toBe('busy');
  await answersRight(two);

  expect(await remove(one)).toMatchObject({ error: null });
  expect((await entry(one))?.storedBytes ?? 0).toBe(0);
  await answersRight(one);
  await answersRight(two);
  const before = fetched();
  await opensKept(two);
  await answersRight(two);
  expect(fetched() - before).toBeGreaterThanOrEqual(size);
});

test('a quota that is too small is told by the plan, one that fills up by the load; both answer, and nothing stored is lost', async ({
  page,
  context,
}) => {
  await openTab(page);
  const client = await context.newCDPSession(page);
  const origin = new URL(server.url).origin;
  const allow = (quotaSize?: number) =>
    client.send('Storage.overrideQuotaForOrigin', { origin, ...(quotaSize !== undefined && { quotaSize }) });
  const margin = 4 * 2 ** 20;
  await allow(margin + size / 2);
  expect(await page.evaluate(() => window.harness.worker.canBeStored())).toBe(false);
  expect(await open(page)).toMatchObject({ value: { notKept: { code: 'storage-full', fix: expect.stringContaining('Delete') } } });
  await answersRight(page);

  await allow();
  server.delayMs = WAIT_MS;
  const before = fetched();
  const loading = open(page);
  await expect.poll(() => fetched() - before, { intervals: [5] }).toBeGreaterThan(size / 3);
  await allow(1000);
  expect(await loading).toMatchObject({ value: { notKept: { code: 'storage-full' } } });
  await answersRight(page);
  await allow();
  server.delayMs = 0;
  await opensKept(page);
  await allow(1000);
  const stored = fetched();
  await opensKept(await openTab(page));
  await answersRight(page);
  expect(fetched()).toBe(stored);
});

test('storage that is cleared under a load, or under a loaded model, costs the copy alone', async ({ page, context }) => {
  await openTab(page);
  const client = await context.newCDPSession(page);
  const clear = () => client.send('Storage.clearDataForOrigin', { origin: new URL(server.url).origin, storageTypes: 'file_systems' });
  const note = (text: string) => page.evaluate((words) => window.harness.worker.keepNote(words), text);
  expect(await note('before')).toBe('before');
  server.delayMs = WAIT_MS;
  const loading = open(page);
  await expect.poll(fetched, { intervals: [5] }).toBeGreaterThan(size / 3);
  await clear();
  expect(await loading).toMatchObject({ error: null });
  await answersRight(page);
  expect(await note('after')).toBe('after');
  server.delayMs = 0;
  await opensKept(page);
  expect((await entry(page))?.storedBytes).toBeGreaterThan(size);
  await clear();
  await answersRight(page);
  expect((await entry(page))?.storedBytes).toBe(0);
  const before = fetched();
  await opensKept(page);
  await answersRight(page);
  expect(fetched() - before).toBeGreaterThanOrEqual(size);
});

test('a flipped bit in a stored file is noticed, and the file fetched anew', async ({ page }) => {
  await openTab(page);
  await opensKept(page);
  for (const name of [NAME, 'tokenizer.json', 'config.json']) {
    await page.evaluate((file) => window.harness.worker.damageStored(file), name);
    const before = server.sent.get(`checkpoint/${name}`)!;
    await opensKept(page);
    await answersRight(page);
    expect(server.sent.get(`checkpoint/${name}`)).toBeGreaterThan(before);
  }
});

test('a cancelled load closes its requests within 100 ms and sends no more', async ({ page }) => {
  await openTab(page);
  await opensKept(page);
  expect(await remove(page)).toMatchObject({ error: null });
  server.requests.length = 0;
  server.delayMs = HOLD_MS;
  const loading = open(page);
  const underWay = () => server.requests.filter(({ closedMs }) => closedMs === null).length;
  const early = loading.then((outcome) => expect(outcome, 'loaded while the server held everything').toBeNull());
  await Promise.race([early, expect.poll(underWay, { intervals: [5] }).toBeGreaterThan(0)]);
  early.catch(() => {});
  const cancelledMs = await page.evaluate(() => window.harness.worker.cancelOpening());
  expect(await loading).toMatchObject({ error: { code: 'cancelled' } });
  await expect.poll(underWay, { intervals: [5] }).toBe(0);
  const latest = Math.max(...server.requests.map(({ closedMs }) => closedMs!));
  expect(latest - cancelledMs).toBeLessThan(100);
  const sent = server.requests.length;
  await page.waitForTimeout(500);
  expect(server.requests.length).toBe(sent);
});

test.describe('the token', () => {
  // The hub of this test has no https.
  test.use({ bypassCSP: true });
  test('stays with the hub when it sends the browser on to another host', async ({ page }) => {
    const seen: { host: string; url: string; authorization: string | undefined }[] = [];
    const cors = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': 'authorization, range' };
    const listen = (host: string, answer: (url: string) => [number, Record<string, string>]) => {
      const other = createServer((request, response) => {
        if (request.method === 'OPTIONS') return void response.writeHead(204, cors).end();
        seen.push({ host, url: request.url!, authorization: request.headers.authorization });
        const [, from] = /(\d+)-/.exec(request.headers.range ?? '') ?? [];
        const [status, headers] = answer(request.url!);
        response.writeHead(status, { ...cors, ...headers });
        response.end(status === 206 ? Buffer.from([0, 1, 2, 3].map((i) => i + Number(from))) : undefined);
      });
      return new Promise<typeof other>((resolve) => other.listen(0, '127.0.0.1', () => resolve(other)));
    };
    const at = (other: Awaited<ReturnType<typeof listen>>) => `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const cdn = await listen('cdn', () => [206, { 'Content-Length': '4' }]);
    const hub = await listen('hub', (url) => [302, { Location: at(cdn) + url }]);
    await openTab(page);
    const bytes = await page.evaluate((endpoint) => window.harness.worker.readFromHub(endpoint, 'hf_secret', 'a.bin'), at(hub));
    for (const other of [hub, cdn]) other.close();
    expect(bytes).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(new Set(seen.map(({ host }) => host))).toEqual(new Set(['hub', 'cdn']));
    for (const { host, authorization, url } of seen) {
      expect(authorization).toBe(host === 'hub' ? 'Bearer hf_secret' : undefined);
      expect(url).not.toContain('hf_secret');
    }
  });
});
