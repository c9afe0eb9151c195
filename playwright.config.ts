import { defineConfig } from '@playwright/test';
import { findChromium } from './tests/support/chromium.ts';

// Playwright reads this file again in every worker process; the environment keeps them on the same ports.
const sitePort = (process.env['NVLM_SITE_PORT'] ??= String(20_000 + (process.pid % 10_000)));
const harnessPort = (process.env['NVLM_HARNESS_PORT'] ??= String(30_000 + (process.pid % 10_000)));
const { executablePath, args, env } = await findChromium();

/** What a software device keeps every core busy with, and what measures: beside others these only time out. */
const ALONE = /(faults|goldens|ops|streaming|teach|training|ui-thread)\.spec\.ts$/;

export default defineConfig({
  testDir: 'tests/browser',
  // The test command runs those of `beside` two at a time.
  projects: [
    { name: 'beside', testIgnore: ALONE, outputDir: 'test-results/browser/beside' },
    { name: 'alone', testMatch: ALONE, outputDir: 'test-results/browser/alone' },
  ],
  workers: 1,
  forbidOnly: true,
  timeout: 240_000,
  globalTimeout: 28 * 60_000,
  expect: { timeout: 20_000 },
  use: {
    baseURL: `http://localhost:${sitePort}/`,
    launchOptions: { executablePath, args, env },
    screenshot: 'only-on-failure',
    trace: 'retain-on-failure',
  },
  webServer: [
    { command: `node node_modules/vite/bin/vite.js preview --port ${sitePort} --strictPort`, url: `http://localhost:${sitePort}/` },
    {
      command: `node node_modules/vite/bin/vite.js preview --config tests/browser/harness/vite.config.ts --port ${harnessPort} --strictPort`,
      url: `http://localhost:${harnessPort}/`,
    },
  ],
});
