import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium } from '@playwright/test';
import { npmChromium } from './npm-chromium.ts';

export interface ChromiumLaunch {
  executablePath: string;
  args: string[];
  env: Record<string, string>;
  /** Where the browser was found, for the log. */
  origin: string;
}

/**
 * WebGPU is hidden in a headless browser without the first; the second gives every machine the same software GPU adapter; the rest
 * keeps the browser from talking to the outside.
 */
const flags = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

/**
 * The Chromium that the tests drive: `CHROME_PATH`, else an installed Chrome or Chromium, else the one Playwright
 * downloaded, else the one from npm.
 */
export async function findChromium(): Promise<ChromiumLaunch> {
  const env = Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined));
  // Containers run as root and without user namespaces, where Chromium's sandbox cannot start.
  const args = process.platform === 'linux' ? ['--no-sandbox', ...flags] : flags;

  const named = process.env['CHROME_PATH'];
  if (named) return { executablePath: named, args, env, origin: 'CHROME_PATH' };
  const installed = installedBrowsers().find(starts);
  if (installed) return { executablePath: installed, args, env, origin: 'installed' };
  const playwrights = chromium.executablePath();
  if (existsSync(playwrights)) return { executablePath: playwrights, args, env, origin: 'Playwright' };
  const npm = await npmChromium();
  if (npm) {
    const inherited = process.env['LD_LIBRARY_PATH'];
    return {
      executablePath: npm.executable,
      args,
      env: {
        ...env,
        LD_LIBRARY_PATH: inherited ? `${inherited}:${npm.libraries}` : npm.libraries,
        FONTCONFIG_FILE: npm.fontConfig,
      },
      origin: 'npm',
    };
  }
  throw new Error('No Chrome or Chromium found: install one, or name it in CHROME_PATH.');
}

function installedBrowsers(): string[] {
  switch (process.platform) {
    case 'darwin':
      return ['Google Chrome', 'Chromium'].map((name) => `/Applications/${name}.app/Contents/MacOS/${name}`).filter(existsSync);
    case 'win32':
      return [process.env['PROGRAMFILES'], process.env['PROGRAMFILES(X86)'], process.env['LOCALAPPDATA']]
        .filter((folder) => folder !== undefined)
        .map((folder) => join(folder, 'Google', 'Chrome', 'Application', 'chrome.exe'))
        .filter(existsSync);
    default:
      return (process.env['PATH'] ?? '')
        .split(delimiter)
        .flatMap((folder) => ['google-chrome', 'google-chrome-stable', 'chromium', 'chromium-browser'].map((name) => join(folder, name)))
        .filter(existsSync);
  }
}

/** Some distributions ship a `chromium-browser` that only tells the user to install something else. */
function starts(executable: string): boolean {
  if (process.platform !== 'linux') return true;
  try {
    return /chrom/i.test(
      execFileSync(executable, ['--version'], { encoding: 'utf8', timeout: 20_000, stdio: ['ignore', 'pipe', 'ignore'] }),
    );
  } catch {
    return false;
  }
}
