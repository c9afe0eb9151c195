import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { adapterFiles } from '../support/adapter-files.ts';
import { expect, test } from './fixtures.ts';

const RIGHT = 'PLATFORM\n7\nTRAIN';

const last = (page: Page) => page.getByRole('article').last();

async function retry(page: Page): Promise<void> {
  await last(page).getByRole('button', { name: 'Retry' }).click();
  await expect(last(page).getByRole('button', { name: 'Retry' })).toBeVisible();
}

test('an adapter is imported, weakened, compared with the base, merged, deleted and brought back', async ({ page }) => {
  await page.goto('#/chat');
  await page.getByRole('button', { name: 'Adapters' }).click();
  const panel = page.getByRole('region', { name: 'Adapters' });
  await panel.getByLabel('Files of an adapter').setInputFiles(await adapterFiles());
  const row = panel.getByRole('listitem');
  const on = row.getByRole('checkbox', { name: 'Imported adapter' });
  await expect(on).toBeChecked();
  await expect(row).toContainText('for nano-d · rank 2');
  await expect(page).toHaveURL(/adapters=a[0-9a-f]{8}$/);

  await page.getByRole('button', { name: 'Read everything.' }).click();
  await expect(last(page)).toContainText('with Imported adapter');
  await expect(last(page).getByRole('button', { name: 'Retry' })).toBeVisible();
  await expect(last(page)).not.toContainText(RIGHT, { useInnerText: true });

  const strength = row.getByRole('slider', { name: 'Strength of Imported adapter' });
  await strength.focus();
  await page.keyboard.press('Home');
  await expect(page).toHaveURL(/adapters=a[0-9a-f]{8}:0$/);
  await retry(page);
  await expect(last(page)).toContainText(RIGHT, { useInnerText: true });

  await page.keyboard.press('Tab');
  await strength.focus();
  await page.keyboard.press('End');
  await expect(strength).toHaveValue('2');
  await panel.getByRole('checkbox', { name: 'Compare with the base model' }).check();
  await expect(page).toHaveURL(/adapters=a[0-9a-f]{8}:2&compare=1$/);
  await retry(page);
  await expect(last(page).getByRole('region', { name: 'Answer of the base model' })).toContainText(RIGHT, {
    useInnerText: true,
  });
  const tuned = last(page).getByRole('region', { name: 'Answer with adapters' });
  await expect(tuned).toContainText('Imported adapter × 2');
  await expect(tuned).not.toContainText(RIGHT, { useInnerText: true });
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);

  const download = page.waitForEvent('download');
  await panel.getByRole('button', { name: 'Download merged model' }).click();
  expect((await download).suggestedFilename()).toBe('nano-d-merged.zip');

  await row.getByRole('button', { name: 'Delete Imported adapter' }).click();
  await expect(row).toHaveCount(0);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(strength).toHaveValue('2');

  // The address alone brings it back, and a model that it does not fit says why.
  await page.goto(`about:blank`);
  await page.goBack();
  await expect(page.getByRole('button', { name: 'Adapters (1, compared)' })).toBeVisible();
  await page.getByRole('button', { name: 'Adapters' }).click();
  await expect(on).toBeChecked();
});

test('what is no adapter of this kind is refused with the reason', async ({ page }) => {
  await page.goto('#/chat');
  await page.getByRole('button', { name: 'Adapters' }).click();
  const panel = page.getByRole('region', { name: 'Adapters' });
  const [config, weights] = await adapterFiles();
  await panel.getByLabel('Files of an adapter').setInputFiles([config!]);
  await expect(panel.getByRole('alert')).toContainText('There is no adapter_model.safetensors among the files.');
  const dora = { ...config!, buffer: Buffer.from('{"peft_type":"LORA","lora_alpha":2,"use_dora":true}') };
  await panel.getByLabel('Files of an adapter').setInputFiles([dora, weights!]);
  await expect(panel.getByRole('alert')).toContainText('it sets use_dora');
});
