import type { Page } from '@playwright/test';
import { createServer } from 'vite';
import { contentSecurityPolicy } from '../../build/content-security-policy.ts';
import { expect, test } from './fixtures.ts';
import { serveSite } from './static-server.ts';

async function modelAnswers(page: Page): Promise<void> {
  await expect(page.getByRole('heading', { name: 'Ask about the picture' })).toBeVisible();
  await page.getByRole('button', { name: 'Read everything.' }).click();
  const answer = page.getByRole('article').last();
  await expect(answer.getByRole('button', { name: 'Retry' })).toBeVisible();
  await expect(answer).toContainText('PLATFORM');
}

test('the site works from any path on a host that sends no headers', async ({ page }) => {
  const site = await serveSite('/some/where/');
  await page.goto(site.url);
  expect(await page.evaluate(() => globalThis.crossOriginIsolated)).toBe(false);
  await modelAnswers(page);
  await page.getByRole('link', { name: 'Device' }).click();
  await expect(page.getByText('not cross-origin isolated')).toBeVisible();
  await site.stop();
});

test('after the first visit the site works without a network', async ({ page, pageErrors }) => {
  const site = await serveSite('/some/where/');
  await page.goto(site.url);
  await modelAnswers(page);
  await expect.poll(() => page.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.active?.state)).toBe('activated');

  await site.stop();
  await page.reload();
  // The files that are kept come with the headers that the host does not send.
  expect(await page.evaluate(() => globalThis.crossOriginIsolated)).toBe(true);
  await modelAnswers(page);
  await page.getByRole('link', { name: 'Tiles' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await page.getByRole('link', { name: 'Device' }).click();
  const cores = await page.evaluate(() => navigator.hardwareConcurrency);
  await expect(page.getByText(cores > 1 ? `Up to ${Math.min(cores, 16)} threads compute` : 'One thread computes')).toBeVisible();
  // Chromium logs each request that found no network.
  pageErrors.splice(0, Infinity, ...pageErrors.filter((text) => !text.includes('ERR_CONNECTION_REFUSED')));
});

test('a first visit fetches nothing twice, and keeps the site once its model is there', async ({ page }) => {
  const site = await serveSite('/', { ranges: true });
  await page.goto(site.url);
  await modelAnswers(page);
  await expect
    .poll(() => page.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.active?.state), { timeout: 20_000 })
    .toBe('activated');
  const reached = new Map<string, number>();
  const twice = site.seen.filter(({ path, span }) => {
    const isAgain = (reached.get(path) ?? 0) > (span?.[0] ?? 0);
    reached.set(path, Math.max(reached.get(path) ?? 0, span?.[1] ?? Infinity));
    return isAgain;
  });
  expect(twice).toEqual([]);
  // All of the site's own files, and of the models' weights those of one.
  expect(reached.has('models/nano-x/config.json')).toBe(true);
  const weights = site.seen.filter(({ path }) => path.endsWith('.safetensors'));
  expect(weights.every(({ path, span }) => path.startsWith('models/nano-d/') && span !== null)).toBe(true);
  // The worker that keeps the site comes behind them.
  const order = site.seen.map(({ path }) => path);
  expect(order.indexOf('service-worker.js')).toBeGreaterThan(order.lastIndexOf(weights.at(-1)!.path));
  await site.stop();
});

test('a first visit asks for its model before the engine is there and before what describes it, a later one does not', async ({ page }) => {
  const site = await serveSite('/', { ranges: true, hold: /^assets\/engine-service-|^models\/.*\.json$/ });
  const weights = () => site.seen.filter(({ path }) => path.endsWith('.safetensors'));
  await page.goto(site.url);
  await expect.poll(() => weights().map(({ path }) => path)).toEqual(['models/nano-d/model-00001-of-00002.safetensors']);
  site.release();
  await modelAnswers(page);
  const [first] = weights();
  expect(weights().filter(({ path }) => path === first!.path)).toEqual([first]);

  const before = weights().length;
  await page.reload();
  await modelAnswers(page);
  expect(weights()).toHaveLength(before);
  await site.stop();
});

test('an engine whose script does not arrive is started again', async ({ page, pageErrors }) => {
  await page.route(/assets\/engine-service-.*\.js$/, (route) => route.abort(), { times: 1 });
  await page.goto('./');
  await expect(page.getByText('The engine stopped and was started again.')).toBeVisible();
  await modelAnswers(page);
  pageErrors.length = 0;
});

test('the development server has a page that answers', async ({ page, pageErrors }) => {
  const server = await createServer({ logLevel: 'silent', server: { port: 0, watch: null } });
  await server.listen();
  await page.goto(server.resolvedUrls!.local[0]!);
  await modelAnswers(page);
  await server.close();
  // The page notices that its server is gone.
  pageErrors.length = 0;
});

test('the policy is in the page itself and stops foreign scripts', async ({ page, pageErrors }) => {
  await page.goto('./');
  await expect(page.locator('meta[http-equiv="Content-Security-Policy"]')).toHaveAttribute('content', contentSecurityPolicy);
  const refusals = await page.evaluate(() => {
    const refusalOf = (change: (script: HTMLScriptElement) => void) => {
      const script = document.createElement('script');
      try {
        change(script);
        document.body.append(script);
        return 'taken';
      } catch (error) {
        return String(error);
      }
    };
    const refused = [
      refusalOf((script) => (script.textContent = 'globalThis.injected = true')),
      refusalOf((script) => (script.src = 'https://elsewhere.example/script.js')),
    ];
    return [...refused, 'injected' in globalThis ? 'ran' : 'did not run'];
  });
  expect(refusals).toEqual([
    expect.stringContaining('TrustedScript'),
    expect.stringContaining('is not a script of this page'),
    'did not run',
  ]);
  expect(pageErrors.join()).toMatch(/Content Security Policy|TrustedScript/);
  pageErrors.length = 0;
});

test('scripts in the markup itself, which Trusted Types say nothing about, are stopped by script-src', async ({ page, pageErrors }) => {
  const asked: string[] = [];
  await page.route('https://elsewhere.example/**', (route) => {
    asked.push(route.request().url());
    return route.fulfill({ contentType: 'text/javascript', body: 'globalThis.injected = true' });
  });
  await page.route('./', async (route) => {
    const response = await route.fetch();
    const markup = '<script>globalThis.injected = true</script><script src="https://elsewhere.example/script.js"></script>';
    // Without the header, so that it is the page's own policy that does it.
    const { 'content-security-policy': _, ...headers } = response.headers();
    await route.fulfill({ response, headers, body: (await response.text()).replace('</body>', `${markup}</body>`) });
  });
  await page.goto('./');
  await expect(page.getByRole('heading', { name: 'Ask about the picture' })).toBeVisible();
  expect(await page.locator('script').allTextContents()).toContain('globalThis.injected = true');
  expect(await page.evaluate(() => 'injected' in globalThis)).toBe(false);
  expect(asked).toEqual([]);
  expect(pageErrors).toHaveLength(2);
  for (const text of pageErrors) expect(text).toContain("script-src 'self'");
  pageErrors.length = 0;
});

test('a screen whose script does not arrive says so and leaves the others alone', async ({ page, pageErrors }) => {
  await page.route(/assets\/DeviceScreen-.*\.js$/, (route) => route.abort());
  await page.goto('#/device');
  await expect(page.getByRole('alert')).toContainText('Device could not be shown');
  await expect(page.getByRole('button', { name: 'Reload the page' })).toBeVisible();
  await page.getByRole('link', { name: 'Models' }).click();
  await expect(page.getByRole('heading', { name: 'Models', level: 1 })).toBeVisible();
  pageErrors.length = 0;
});
