import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from './fixtures.ts';

const models = new URL('../../public/models/', import.meta.url);

test('nano-d learns a new word in a worker of the browser', async ({ harness, context }) => {
  await context.route('**/models/nano-d/**', async (route) => {
    const file = new URL(route.request().url()).pathname.replace('/models/', '');
    const body = await readFile(fileURLToPath(new URL(file, models))).catch(() => null);
    if (!body) return route.fulfill({ status: 404 });
    const range = /bytes=(\d+)-(\d+)/.exec(route.request().headers()['range'] ?? '');
    if (!range) return route.fulfill({ body });
    const [first, last] = [Number(range[1]), Math.min(Number(range[2]), body.length - 1)];
    const headers = { 'Content-Range': `bytes ${first}-${last}/${body.length}` };
    await route.fulfill({ status: 206, headers, body: body.subarray(first, last + 1) });
  });
  const { before, after } = await harness.evaluate(() => window.harness.worker.teachRing('wasm'));
  expect(before.ring).toBe(0);
  expect(after.ring).toBeGreaterThanOrEqual(0.8);
  expect(after.neighbour).toBeGreaterThanOrEqual(0.7);
});
