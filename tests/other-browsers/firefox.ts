import { existsSync } from 'node:fs';
import { launch } from 'puppeteer-core';
import { asExpression, resultOf, type DrivenBrowser } from './driven-browser.ts';

const PLACES = ['/usr/bin/firefox-esr', '/usr/bin/firefox', '/Applications/Firefox.app/Contents/MacOS/firefox'];

/** `FIREFOX_PATH`, or where systems put it; null where there is none. */
export function findFirefox(): string | null {
  return process.env['FIREFOX_PATH'] ?? PLACES.find((path) => existsSync(path)) ?? null;
}

/** Firefox without a window, over WebDriver BiDi, with WebGPU, which is off by default on Linux; workers have a switch of their own. */
export async function openFirefox(executablePath: string): Promise<DrivenBrowser> {
  const browser = await launch({
    browser: 'firefox',
    executablePath,
    headless: true,
    protocolTimeout: 600_000,
    extraPrefsFirefox: { 'dom.webgpu.enabled': true, 'dom.webgpu.workers.enabled': true, 'gfx.webgpu.ignore-blocklist': true },
  });
  const page = await browser.newPage();
  return {
    name: 'Firefox',
    version: (await browser.version()).replace(/^.*\//, ''),
    open: async (url) => void (await page.goto(url)),
    run: async <T>(code: string, ...args: unknown[]) => resultOf<T>((await page.evaluate(asExpression(code, args))) as string),
    close: () => browser.close(),
  };
}
