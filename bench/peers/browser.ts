import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from '@playwright/test';
import { build } from 'vite';
import { moduleWorkers } from '../../build/module-workers.ts';
import { tfjsAlias } from '../../build/tfjs-alias.ts';
import { serveCheckpoint, type CheckpointServer } from '../../tests/support/checkpoint-server.ts';

const SITE = 'bench/peers/.cache/page/';

/**
 * Builds the page that both sides run in and serves it, with a model folder under `/checkpoint/` and peers as they are published.
 *
 * @param others more folders, by the first part of their paths
 */
export async function servePage(folder: string, others: Record<string, string>): Promise<CheckpointServer> {
  await build({
    configFile: false,
    logLevel: 'error',
    root: fileURLToPath(new URL('./page/', import.meta.url)),
    base: './',
    resolve: { alias: [tfjsAlias] },
    worker: moduleWorkers,
    build: { outDir: fileURLToPath(new URL(`../../${SITE}`, import.meta.url)), emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0 },
  });
  return serveCheckpoint(folder, SITE, others);
}

/** The built files of a peer that `npm ci --prefix bench/peers` has installed. */
export function peerFiles(path: string): string {
  return fileURLToPath(new URL(`./node_modules/${path}/`, import.meta.url));
}

/** A page in a process of its own, and that process. */
export async function openSide(from: Browser, url: string): Promise<{ page: Page; pid: number }> {
  const session = await from.newBrowserCDPSession();
  const renderers = async () => {
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    return processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);
  };
  const before = new Set(await renderers());
  const page = await (await from.newContext()).newPage();
  await page.goto(url);
  await page.waitForFunction(() => 'nvlm' in window);
  const pid = (await renderers()).find((id) => !before.has(id));
  if (pid === undefined) throw new Error('The page has no process of its own.');
  return { page, pid };
}

/** User and system time of all threads of a process (Linux; clock ticks of 10 ms). */
export function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

export function residentMegabytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1000;
}
