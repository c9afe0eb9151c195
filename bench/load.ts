/**
 * A large checkpoint into a browser: local server → device and warm storage → device, each beside the raw speed of what it reads
 * from (`fetch` and thrown away, OPFS read and thrown away), by the clock and in processor time of server and browser together, and the
 * heap that it takes on the way.
 *
 * `npx tsx bench/load.ts FOLDER [BACKEND] [RUNS]` after `npx vite build --config tests/browser/harness/vite.config.ts`, with a folder
 * from `npx nvlm synth --like internvl2_5-1b --out FOLDER`.
 */
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from '@playwright/test';
import type { BackendName } from '../src/device/types.ts';
import type { Jobs } from '../tests/browser/harness/jobs.ts';
import { serveCheckpoint } from '../tests/support/checkpoint-server.ts';
import { findChromium } from '../tests/support/chromium.ts';
import { descendantSeconds } from '../tests/support/descendants.ts';
import { WorkerHeap } from '../tests/support/worker-heap.ts';
import { printReport, type Measurement } from './report.ts';

const [folder, backend = 'webgpu', runs = '1'] = process.argv.slice(2);
if (!folder) throw new Error('Name a checkpoint folder.');
const shards = readdirSync(folder).filter((file) => file.endsWith('.safetensors'));

const { executablePath, args, env } = await findChromium();
const server = await serveCheckpoint(folder);
// A profile on disk: a private one may not store as much.
const profile = await mkdtemp(join(tmpdir(), 'nvlm-load-'));
const browser = await chromium.launchPersistentContext(profile, { executablePath, args, env });
const page = await browser.newPage();
try {
  await page.goto(server.url);
  await page.waitForFunction(() => 'harness' in window);
  const load = (stored: boolean) =>
    page.evaluate(([choice, through]) => window.harness.worker.loadCheckpoint(choice, through, []), [
      backend as BackendName,
      stored,
    ] as const);
  await page.evaluate((choice) => window.harness.worker.multiply(choice), backend as BackendName);
  const heap = await WorkerHeap.of(page);

  const seconds: Record<string, number[]> = { fetch: [], server: [], storing: [], opfs: [], stored: [] };
  const processor: Record<string, number[]> = { fetch: [], server: [], storing: [], opfs: [], stored: [] };
  const heaps: number[] = [];
  const processorSeconds = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6 + descendantSeconds();
  };
  /** @param work resolves to the milliseconds that it took */
  const measured = async (name: string, work: () => Promise<number>) => {
    const before = processorSeconds();
    seconds[name]!.push((await work()) / 1000);
    processor[name]!.push(processorSeconds() - before);
  };
  let info: Awaited<ReturnType<Jobs['loadCheckpoint']>> | null = null;
  const timed = async (name: string, stored: boolean) => {
    await heap.collectGarbage();
    const baseline = await heap.bytes();
    await measured(name, async () => {
      const { result, peak } = await heap.peakDuring(load(stored));
      info = result;
      heaps.push((peak - baseline) / 1e6);
      return result.ms;
    });
  };
  for (let run = 0; run < Number(runs); run++) {
    await measured('fetch', () => page.evaluate((files) => window.harness.worker.fetchCheckpoint(files), shards));
    await timed('server', false);
    if (run === 0) await timed('storing', true);
    await measured('opfs', () => page.evaluate((files) => window.harness.worker.readStoredCheckpoint(files), shards));
    await timed('stored', true);
  }
  const { info: device, tensorBytes, weightBytes, plannedBytes } = info!;
  const megabytes = tensorBytes / 1e6;
  const where = { adapter: device.adapter, backend: device.backend, runtime: `Chromium ${browser.browser()?.version()}` };
  const rate = (name: string, what: string): Measurement => ({
    name: `load: ${what}`,
    unit: 'MB/s',
    samples: seconds[name]!.map((value) => megabytes / value),
    ...where,
  });
  const share = (name: string, raw: string, what: string): Measurement => ({
    name: `load: ${what}`,
    unit: 'share',
    samples: seconds[name]!.map((value, run) => seconds[raw]![run]! / value),
    ...where,
  });
  const processorTime = (name: string, what: string): Measurement => ({
    name: `load: ${what}, processor time`,
    unit: 's',
    samples: processor[name]!,
    ...where,
  });
  printReport(
    rate('fetch', `${megabytes.toFixed(0)} MB, raw fetch`),
    rate('server', 'local server → device'),
    share('server', 'fetch', 'local server → device, of raw fetch'),
    rate('storing', 'local server → device and storage'),
    rate('opfs', 'raw OPFS read'),
    rate('stored', 'storage → device'),
    share('stored', 'opfs', 'storage → device, of raw OPFS read'),
    share('stored', 'server', 'storage → device, times as fast as local server → device'),
    processorTime('fetch', 'raw fetch'),
    processorTime('server', 'local server → device'),
    processorTime('storing', 'local server → device and storage'),
    processorTime('stored', 'storage → device'),
    { name: 'load: peak heap of the worker above baseline', unit: 'MB', samples: heaps, ...where },
    { name: 'load: planned bytes of weights, of those on the device', unit: 'share', samples: [plannedBytes / weightBytes], ...where },
  );
} finally {
  await browser.close();
  await server.close();
  await rm(profile, { recursive: true, force: true });
}
