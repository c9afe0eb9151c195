import { test as base, expect, type Page } from '@playwright/test';

interface Fixtures {
  /** The test harness, open. */
  harness: Page;
  /** What the page logged as an error or threw. Fails the test at its end unless emptied. */
  pageErrors: string[];
}

export const test = base.extend<Fixtures>({
  pageErrors: [
    async ({ page }, use) => {
      const errors = errorsOf(page);
      await use(errors);
      expect(errors, 'errors on the console').toEqual([]);
    },
    { auto: true },
  ],
  harness: async ({ page }, use) => {
    await openHarness(page);
    await use(page);
  },
});

/** Fills with what the page logs as an error or throws. */
export function errorsOf(page: Page): string[] {
  const errors: string[] = [];
  page.on('console', (message) => {
    // Chromium reports a violated content security policy as a console error as well.
    if (message.type() === 'error') errors.push(message.text());
  });
  page.on('pageerror', (error) => errors.push(String(error)));
  return errors;
}

export async function openHarness(page: Page): Promise<void> {
  await page.goto(`http://localhost:${process.env['NVLM_HARNESS_PORT']}/`);
  await page.waitForFunction(() => 'harness' in window);
}

export { expect };
