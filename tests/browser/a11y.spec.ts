import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { expect, test } from './fixtures.ts';

async function expectNoViolations(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`)).toEqual([]);
}

async function expectNoSidewaysScrolling(page: Page): Promise<void> {
  expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(0);
}

/** Contrast hangs on the colours and layout on the width: two visits see both of each. */
for (const [size, colorScheme, viewport] of [
  ['desktop', 'light', { width: 1280, height: 800 }],
  ['phone', 'dark', { width: 360, height: 740 }],
] as const) {
  test(`axe finds nothing: ${size}, ${colorScheme}`, async ({ page }) => {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });

    await page.goto('#/chat');
    await expect(page.getByRole('progressbar')).toHaveCount(0);
    await expect(page.getByRole('figure')).toContainText('To the train');
    await expectNoViolations(page);
    await page.getByRole('button', { name: 'Read everything.' }).click();
    await expect(page.getByRole('button', { name: 'Retry' })).toBeVisible();
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByText('More', { exact: true }).click();
    await page.getByRole('radio', { name: 'Type your own' }).check();
    for (const kind of ['Note', 'Receipt', 'Bars', 'Shapes']) {
      await page.getByRole('radio', { name: kind }).check();
      await expect(page.getByRole('list', { name: 'Ask about what you typed' })).toBeVisible();
      await expectNoViolations(page);
      await expectNoSidewaysScrolling(page);
    }

    for (const screen of ['tiles', 'finetune', 'finetune?step=run', 'finetune?step=result', 'lab', 'lab?view=runs', 'models', 'device']) {
      await page.goto(`#/${screen}`);
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
      await page.waitForLoadState('networkidle');
      await expectNoViolations(page);
      await expectNoSidewaysScrolling(page);
    }

    if (size === 'desktop') {
      await page.getByRole('button', { name: 'Keyboard shortcuts' }).click();
      await expectNoViolations(page);
    }
  });
}

test('the skip link, the landmarks and the title lead through the page', async ({ page }) => {
  await page.goto('#/models');
  await expect(page).toHaveTitle('Models · NVLM Playground');
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('main')).toBeFocused();
  await expect(page).toHaveURL(/#\/models/);
  await expect(page.getByRole('navigation', { name: 'Screens' }).getByRole('link', { name: 'Models' })).toHaveAttribute(
    'aria-current',
    'page',
  );
});

test('the colours follow the system until they are chosen', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.goto('#/device');
  const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const dark = await background();
  await page.getByRole('button', { name: /^Colours: as the system/ }).click();
  expect(await background()).not.toBe(dark);
  await page.reload();
  await expect(page.getByRole('button', { name: /^Colours: light/ })).toBeVisible();
  await page.getByRole('button', { name: /^Colours: light/ }).click();
  expect(await background()).toBe(dark);
});
