/**
 * SmolLM2-135M in Chromium, one thread: nvlm on wasm beside wllama (llama.cpp, Q4_1), each in a page and a process of its own: prefill,
 * decoding, and the memory that the process holds.
 *
 * `npx tsx bench/peers/wllama.ts [RUNS] [BITS] [TOKENS]` after `npm ci --prefix bench/peers`: BITS of nvlm's weights (8, 4 or 16), TOKENS
 * of the prompt.
 */
import { chromium } from '@playwright/test';
import { findChromium } from '../../tests/support/chromium.ts';
import { openSide, peerFiles, processorMs, residentMegabytes, servePage } from './browser.ts';
import { measurePairs, type Pair, type Sample } from './pairs.ts';
import { cacheFolder, smollm2 } from './smollm2.ts';
import type {} from './page/main.ts';

const [runs = '5', bits = '8', tokens = '128'] = process.argv.slice(2);
const NEW_TOKENS = 16;

const { folder } = await smollm2();
const server = await servePage(folder, { wllama: peerFiles('@wllama/wllama/esm'), gguf: cacheFolder });
const { executablePath, args, env } = await findChromium();
const browser = await chromium.launch({ executablePath, args, env });
try {
  const ours = await openSide(browser, server.url);
  const theirs = await openSide(browser, server.url);
  const info = await ours.page.evaluate((of) => window.nvlm.open('wasm', of as 8), Number(bits));
  await theirs.page.evaluate(async (room) => {
    const { Wllama } = (await import(new URL('/wllama/index.js', location.origin).href)) as {
      Wllama: new (paths: object, options: object) => Window['wllama'];
    };
    const silent = { debug() {}, log() {}, warn() {}, error() {} };
    window.wllama = new Wllama(
      { default: new URL('/wllama/wasm/wllama.wasm', location.origin).href },
      { suppressNativeLog: true, logger: silent },
    );
    const file = await (await fetch('/gguf/SmolLM2-135M-Instruct.Q4_1.gguf')).blob();
    await window.wllama.loadModel([file], { n_ctx: room, n_threads: 1, n_gpu_layers: 0 });
  }, Number(tokens) + 256);

  /** The first word of a prompt makes it another one, so that nothing of it is kept from the last. */
  const complete = (first: number, count: number) =>
    theirs.page.evaluate(
      async ([start, words, most]) => {
        const prompt = `${start} ${'and then '.repeat(words / 2 - 2)}`;
        return (await window.wllama.createCompletion({ prompt, max_tokens: most, temperature: 0, ignore_eos: true, cache_prompt: true }))
          .timings;
      },
      [first, Number(tokens), count] as const,
    );
  let prompts = 0;
  /** What either side says it took, and what its process did meanwhile. */
  const of = async (pid: number, units: number, work: () => Promise<number>): Promise<Sample> => {
    const before = processorMs(pid);
    const ms = await work();
    return { ms: ms / units, cpuMs: (processorMs(pid) - before) / units };
  };
  const asPrompt = async () => {
    const { prompt_ms, prompt_n } = await complete(++prompts, 1);
    return (prompt_ms * Number(tokens)) / prompt_n;
  };
  const asSteps = async () => {
    const { predicted_ms, predicted_n } = await complete(prompts, NEW_TOKENS);
    return (predicted_ms * NEW_TOKENS) / predicted_n;
  };
  const sides: [string, string] = [`nvlm, ${bits} bits`, 'wllama, Q4_1'];
  const pairs: Pair[] = [
    {
      row: `prefill, ${tokens} tokens`,
      unit: 'ms',
      sides,
      work: [
        () => of(ours.pid, 1, () => ours.page.evaluate((count) => window.nvlm.prefill(count), Number(tokens))),
        () => of(theirs.pid, 1, asPrompt),
      ],
    },
    {
      row: `decode, ${tokens} tokens held`,
      unit: 'ms a token',
      sides,
      work: [
        () => of(ours.pid, NEW_TOKENS, () => ours.page.evaluate((count) => window.nvlm.decode(count), NEW_TOKENS)),
        () => of(theirs.pid, NEW_TOKENS, asSteps),
      ],
    },
  ];
  const where = { adapter: info.adapter, backend: info.backend, runtime: `Chromium ${browser.version()}` };
  await measurePairs(pairs, Number(runs), where, () =>
    [[sides[0], ours.pid] as const, [sides[1], theirs.pid] as const].map(([side, pid]) => ({
      name: `memory of the page's process, ${tokens} tokens: ${side}`,
      unit: 'MB',
      samples: [residentMegabytes(pid)],
      ...where,
    })),
  );
} finally {
  await browser.close();
  await server.close();
}
process.exit(0);
