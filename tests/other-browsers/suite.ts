/**
 * What every browser has to do: open the page, answer, cut pictures, compute what the references compute, train, and go on after a
 * reload. Chromium's own tests, in tests/browser, go much deeper; this is what differs between browsers.
 */
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { preview, type PreviewServer } from 'vite';
import type { OpCaseResult } from '../../src/ops/verify.ts';
import type { GoldenChat, GoldenError } from '../goldens/check.ts';
import type { DrivenBrowser } from './driven-browser.ts';

type Backend = 'wasm' | 'webgpu';

const MODELS = ['nvlm-d', 'nvlm-x', 'nvlm-h'];
/** Measured are 2e-6 on wasm and on lavapipe. */
const FORWARD_BOUND = 2e-5;
const STEPS = 10;

/** Waits in the page until an expression holds; what the page says when it never does. */
const until = (condition: string, seconds: number) => `
  for (const end = Date.now() + ${seconds * 1000}; !(${condition}); ) {
    if (Date.now() > end) throw new Error('never: ' + ${JSON.stringify(condition)} + ' in: ' + document.body.innerText.slice(0, 1500));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }`;

/** Types into one of React's fields as a person would, and sends the form. */
const ASK = `
  const field = document.querySelector('textarea');
  Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value').set.call(field, args[0]);
  field.dispatchEvent(new Event('input', { bubbles: true }));
  await new Promise((resolve) => setTimeout(resolve, 50));
  field.form.requestSubmit();`;

async function serve(configFile: string): Promise<{ server: PreviewServer; url: string }> {
  const server = await preview({
    configFile: fileURLToPath(new URL(configFile, import.meta.url)),
    preview: { port: 0, open: false },
    logLevel: 'error',
  });
  return { server, url: server.resolvedUrls!.local[0]! };
}

/** Declares the tests for one open browser, which they close. */
export async function browserSuite(browser: DrivenBrowser): Promise<void> {
  const site = await serve('../../vite.config.ts');
  const harness = await serve('../browser/harness/vite.config.ts');
  const openHarness = async () => {
    await browser.open(harness.url);
    await browser.run(until('window.harness', 20));
  };
  await openHarness();
  const hasAdapter = await browser.run<boolean>(`return Boolean(await navigator.gpu?.requestAdapter())`);
  const backends: Backend[] = hasAdapter ? ['wasm', 'webgpu'] : ['wasm'];
  console.log(`${browser.name} ${browser.version}: ${backends.join(', ')}`);

  describe(browser.name, () => {
    afterAll(async () => {
      await browser.close();
      await Promise.all([site.server.close(), harness.server.close()]);
    });

    test('opens the page, answers from a picture on wasm and cuts it into tiles', async () => {
      await browser.open(`${site.url}#/chat?backend=wasm&picture=six-tile-shapes`);
      await browser.run(
        until(`document.querySelector('h1, h2') && document.querySelector('textarea') && document.querySelector('img')`, 60),
      );
      await browser.run(ASK, 'Describe the image.');
      const answered = `/tokens? written/.test(document.querySelector('article')?.innerText ?? '')`;
      await browser.run(until(answered, 60));
      const answer = await browser.run<string>(`return document.querySelector('article').innerText`);
      expect(answer).toContain('nano-d on wasm');
      await browser.run(`location.hash = '#/tiles?picture=six-tile-shapes'`);
      await browser.run(until(`/6 tiles \\+ thumbnail/.test(document.querySelector('[data-testid=cut]')?.innerText ?? '')`, 30));
    });

    test('has a thread a core where memory can be shared, and they give the bits of one', async () => {
      await openHarness();
      const { info, shares, differ, cores } = await browser.run<{
        info: { threads: number; threadsReason: string };
        shares: boolean;
        differ: string[];
        cores: number;
      }>(`return { ...(await window.harness.worker.threads()), cores: navigator.hardwareConcurrency }`);
      expect(info.threads, info.threadsReason).toBe(shares ? Math.min(cores, 16) : 1);
      expect(info.threadsReason).toContain(shares ? 'measurement' : 'no memory that threads could share');
      expect(differ).toEqual([]);
    });

    test.each(backends)('opens %s twice in one worker', async (backend) => {
      await openHarness();
      for (let round = 0; round < 2; round++) {
        const { values, info } = await browser.run<{ values: number[]; info: { backend: string } }>(
          `return await window.harness.worker.multiply(args[0])`,
          backend,
        );
        expect([values, info.backend]).toEqual([[50], backend]);
      }
    });

    test.each(backends)('every op equals its reference on %s', async (backend) => {
      await openHarness();
      const results = await browser.run<OpCaseResult[]>(`return await window.harness.worker.verifyOps(args[0])`, backend);
      expect(new Set(results.map(({ op }) => op)).size).toBeGreaterThan(10);
      expect(results.filter(({ ok }) => !ok)).toEqual([]);
    });

    describe.each(backends)('on %s', (backend) => {
      test.each(MODELS)('%s computes and answers as the reference does', async (model) => {
        await openHarness();
        const records = backend === 'wasm' ? [0, 2, 5] : [0];
        const errors = await browser.run<GoldenError[]>(
          `return await window.harness.worker.goldenForward(...args)`,
          backend,
          model,
          records,
        );
        expect(errors.length).toBeGreaterThan(records.length);
        expect(errors.filter(({ error }) => !(error < FORWARD_BOUND))).toEqual([]);
        const most = backend === 'wasm' ? 3 : 1;
        const answers = await browser.run<{ got: object; expected: GoldenChat }[]>(
          `return await window.harness.worker.goldenChats(...args)`,
          backend,
          model,
          most,
        );
        expect(answers).toHaveLength(most);
        for (const { got, expected } of answers) expect(got).toEqual({ ids: expected.ids, text: expected.text });
      });
    });

    test('keeps folders by their contract', async () => {
      await openHarness();
      await browser.run(`await window.harness.worker.folderContract(); await window.harness.page.folderContract()`);
    });

    test(`trains ${STEPS} steps, and after a reload in the middle the same ones`, async () => {
      await openHarness();
      const train = `return await window.harness.worker.train({ backend: 'wasm', steps: ${STEPS}, textOnly: false, ...args[0] })`;
      const records = () =>
        browser.run<{ summary: { id: string; state: string; step: number }; log: { step: number; loss: number; gradNorm: number }[] }[]>(
          `return await window.harness.page.runRecords()`,
        );
      const { summary, error, taken } = await browser.run<{
        summary: { state: string } | null;
        error: object | null;
        taken: { loss: number }[];
      }>(train, {});
      expect(error).toBeNull();
      expect([summary?.state, taken.length]).toEqual(['finished', STEPS]);
      expect(taken.at(-1)!.loss).toBeLessThan(taken[0]!.loss);
      await browser.run(`void window.harness.worker.train({ backend: 'wasm', steps: ${STEPS}, textOnly: false })`);
      await browser.run(
        until(`(await window.harness.page.runRecords()).some(({ summary, log }) => summary.state !== 'finished' && log.length >= 3)`, 60),
      );
      await openHarness();
      const dead = (await records()).find((run) => run.summary.state === 'paused')!;
      expect(dead.summary.step).toBeLessThan(STEPS);
      const resumed = await browser.run<{ summary: { state: string; step: number } }>(train, { id: dead.summary.id });
      expect(resumed.summary).toMatchObject({ state: 'finished', step: STEPS });
      const [one, other] = (await records()).map(({ log }) => log.map(({ step, loss, gradNorm }) => [step, loss, gradNorm]));
      expect(one).toEqual(other);
    });
  });
}
