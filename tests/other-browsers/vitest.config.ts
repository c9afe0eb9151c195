import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** The suite in Firefox and WebKit; the test command runs it where one of them is installed. */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL('../../', import.meta.url)),
    include: ['tests/other-browsers/*.suite.ts'],
    allowOnly: false,
    // One browser at a time: each takes the whole machine.
    maxWorkers: 1,
    testTimeout: 300_000,
    hookTimeout: 120_000,
  },
});
