import AxeBuilder from '@axe-core/playwright';
import { expect, test } from './fixtures.ts';

test('models are loaded, unloaded and deleted, and say where their bytes are', async ({ page }) => {
  await page.goto('#/models');
  const d = page.getByRole('article', { name: 'nano-d' });
  const h = page.getByRole('article', { name: 'nano-h' });
  await expect(d).toContainText('loaded');
  await expect(d).toContainText(/Stored\s*\d+(\.\d+)? MB in/);
  await expect(d).toContainText('6 tiles of 112 px, 16 tokens each');
  await expect(h).toContainText(/Stored\s*not yet/);

  await h.getByRole('button', { name: 'Load', exact: true }).click();
  await expect(h.getByRole('button', { name: 'Unload' })).toBeVisible();
  await expect(d.getByRole('button', { name: 'Load', exact: true })).toBeVisible();
  await expect(h).toContainText(/Stored\s*\d+(\.\d+)? MB in/);
  // A second press on the same place, which comes too late, undoes nothing.
  await h.getByRole('button').first().click({ force: true });
  await expect(h.getByRole('button', { name: 'Load', exact: true })).toBeDisabled();
  await expect(h.getByRole('button', { name: 'Unload' })).toBeVisible();

  await h.getByRole('button', { name: 'Unload' }).click();
  await expect(h.getByRole('button', { name: 'Load', exact: true })).toBeVisible();

  await h.getByRole('button', { name: 'Delete stored' }).click();
  const dialog = page.getByRole('dialog', { name: 'Delete the stored bytes of nano-h?' });
  await dialog.getByRole('button', { name: 'Keep' }).click();
  await expect(h).toContainText(/Stored\s*\d+(\.\d+)? MB in/);
  await h.getByRole('button', { name: 'Delete stored' }).click();
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await expect(h).toContainText(/Stored\s*not yet/);
  await expect(h.getByRole('button', { name: 'Delete stored' })).toBeDisabled();
});

test('a load shows its bytes and can be cancelled, and the model before it stays', async ({ page }) => {
  await page.goto('#/models');
  await expect(page.getByRole('article', { name: 'nano-d' }).getByRole('button', { name: 'Unload' })).toBeVisible();
  let release!: () => void;
  const held = new Promise<void>((resolve) => (release = resolve));
  await page.route('**/models/nano-x/*.safetensors', async (route) => {
    await held;
    await route.continue().catch(() => undefined);
  });
  const x = page.getByRole('article', { name: 'nano-x' });
  await x.getByRole('button', { name: 'Load', exact: true }).click();
  await expect(x.getByRole('progressbar')).toBeVisible();
  await x.getByRole('button', { name: 'Cancel' }).click();
  await expect(x.getByRole('progressbar')).toHaveCount(0);
  release();
  await expect(x.getByRole('button', { name: 'Load', exact: true })).toBeEnabled();
  await expect(page.getByRole('article', { name: 'nano-d' })).toContainText('loaded');
});

test('a model that cannot be fetched says so, and the one before it goes on answering', async ({ page, pageErrors }) => {
  await page.goto('#/models');
  await expect(page.getByRole('article', { name: 'nano-d' }).getByRole('button', { name: 'Unload' })).toBeVisible();
  await page.route('**/models/nano-x/**', (route) => route.fulfill({ status: 500, body: '' }));
  const x = page.getByRole('article', { name: 'nano-x' });
  await x.getByRole('button', { name: 'Load', exact: true }).click();
  await expect(x.getByRole('alert')).toBeVisible();
  await page.getByRole('link', { name: 'Chat' }).click();
  await page.getByRole('button', { name: 'Read everything.' }).click();
  await expect(page.getByRole('article').last()).toContainText('nano-d');
  await expect(page.getByRole('article').last()).toContainText('right');
  pageErrors.length = 0;
});

test('the device screen says what computes and why, and switches', async ({ page }) => {
  await page.goto('#/device');
  const now = page.getByRole('region', { name: 'What computes now' });
  await expect(now).toContainText('wasm');
  await page.getByRole('radio', { name: /^cpu/ }).check();
  await expect(now).toContainText(/Backend\s*cpu/);
  await expect(page).toHaveURL(/backend=cpu/);
  await page.getByRole('radio', { name: /^wasm/ }).check();
  await expect(now).toContainText(/Backend\s*wasm/);
});

test('the device screen holds every op to its reference', async ({ page }) => {
  await page.goto('#/device');
  await page.getByRole('button', { name: 'Check every op' }).click();
  await expect(page.getByRole('status').filter({ hasText: /All \d+ cases agree/ })).toBeVisible({ timeout: 60_000 });
  await page.getByText('Largest differences, case by case').click();
  await expect(page.getByRole('row', { name: /attention/ }).first()).toBeVisible();
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations).toEqual([]);
});

test('a software GPU adapter that is asked for is named, with a plain warning', async ({ page }) => {
  await page.goto('#/chat?backend=webgpu');
  await expect(page.getByText('WebGPU runs on a software GPU adapter here')).toBeVisible();
  await page.getByRole('button', { name: 'Switch to wasm' }).click();
  await expect(page.getByText('WebGPU runs on a software GPU adapter here')).toHaveCount(0);
  await expect(page).toHaveURL(/backend=wasm/);
});
