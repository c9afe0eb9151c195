/** A model with a tiler, tags and a template of its own, in the page: what is fixed for NVLM's family must not be fixed for it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { createTextStream } from '../../src/text/text-stream.ts';
import { createTokenizer } from '../../src/text/tokenizer.ts';
import { goldenFolder } from '../goldens/golden-files.ts';
import { fakeHub, goldenModel } from './fake-hub.ts';
import { expect, test } from './fixtures.ts';

const folder = goldenFolder('smolvlm');
const MODEL = 'hf:org/tiny-smolvlm';
const json = async <T>(name: string): Promise<T> => JSON.parse(await readFile(join(folder, name), 'utf8')) as T;

/** What the page shows for these ids, white space aside, which a comparison of texts does not see. */
async function textOf(ids: readonly number[]): Promise<string> {
  const stream = createTextStream(createTokenizer(await json('tokenizer.json'), await json('tokenizer_config.json')));
  return (ids.map((id) => stream.push(id)).join('') + stream.flush()).trim();
}

async function load(page: Page): Promise<void> {
  await fakeHub(page, { 'org/tiny-smolvlm': await goldenModel('smolvlm') });
  await page.goto('#/models');
  await page.getByLabel('Id or address').fill('org/tiny-smolvlm');
  await page.getByRole('button', { name: 'Plan', exact: true }).first().click();
  await page.getByRole('article', { name: 'Plan of tiny-smolvlm' }).getByRole('button', { name: 'Load' }).click();
  await expect(page.getByRole('article', { name: 'tiny-smolvlm', exact: true })).toContainText('loaded');
}

async function ask(page: Page, question: string): Promise<string> {
  await page.getByLabel('Your question').fill(question);
  await page.getByRole('button', { name: 'Send' }).click();
  const turn = page.getByRole('article').last();
  // The rate is there while tokens come; what can be done with an answer, once it is whole.
  await expect(turn.getByRole('button', { name: /^Retry/ })).toBeVisible();
  return (await turn.locator('[class*=text]').first().textContent()) ?? '';
}

async function expectSound(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`)).toEqual([]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(0);
}

test('several pictures: added, asked about as the reference answers, taken out by keyboard, brought back', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 800 });
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  const { images, prompt, ids } = await json<{ images: string[]; prompt: string; ids: number[] }>('two-pictures.json');
  const [one] = await json<{ ids: number[]; maxNewTokens: number }[]>('chat.json');
  await page.addInitScript((most) => localStorage.setItem('nvlm.chat', JSON.stringify({ maxNewTokens: most })), ids.length);
  await load(page);
  await page.goto(`#/chat?model=${MODEL}`);
  await page.getByTestId('choose-picture').setInputFiles(join(folder, images[0]!));
  await expect(page.getByRole('figure')).toContainText('8 tiles + thumbnail · 36 visual tokens');
  // The example's name leaves the address a moment after its picture.
  await expect(page).not.toHaveURL(/picture=/);
  const address = page.url();
  await page.getByTestId('add-pictures').setInputFiles(images.slice(1).map((name) => join(folder, name)));
  const pictures = page.getByRole('list', { name: 'Pictures of this conversation' });
  await expect(pictures.getByRole('listitem')).toHaveCount(2);
  await expectSound(page);
  expect((await ask(page, prompt)).trim()).toBe(await textOf(ids));
  expect(page.url()).toBe(address);
  // Inside knows one picture.
  await expect(page.getByRole('article').last().getByText('Why?')).toHaveCount(0);

  await pictures.getByRole('button', { name: `Take ${images[1]} out` }).focus();
  await page.keyboard.press('Enter');
  await expect(pictures).toHaveCount(0);
  await expect(page.getByRole('button', { name: 'Add pictures' })).toBeFocused();
  await expect(page.getByRole('article')).toHaveCount(0);
  expect((await ask(page, prompt)).trim()).toBe(await textOf(one!.ids.slice(0, ids.length)));
  await expect(page.getByRole('article').last().getByText('Why?')).toBeVisible();

  // Fewer tiles, and a system turn.
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByLabel('Most tiles').fill('3');
  await expect(page.getByRole('figure')).toContainText('2 tiles + thumbnail · 12 visual tokens');
  await page.getByLabel('System prompt').fill('Be brief.');
  await expectSound(page);

  // Inside repeats both.
  await ask(page, prompt);
  await page.getByRole('article').last().getByText('Why?').click();
  await expect(page.getByText('After the system turn “Be brief.”.')).toBeVisible();
  const shares = page.getByRole('region', { name: 'In the sequence' });
  await expect(shares).toContainText('sum 100 %', { timeout: 60_000 });
  for (const name of ['tile 1', 'tile 2', 'the thumbnail']) await expect(shares).toContainText(name);
  await expect(shares).not.toContainText('tile 3');
  await expectSound(page);
  await page.goBack();

  await page.getByTestId('add-pictures').setInputFiles(join(folder, images[1]!));
  await expect(pictures.getByRole('listitem')).toHaveCount(2);
  await page.getByRole('radio', { name: 'nano-d' }).check();
  await expect(page.getByText('NVLM-D was taught with one picture a conversation. It is shown the first.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Add pictures' })).toHaveCount(0);
});

test('Tiles shows its one rule, and asks for what it can cut', async ({ page, pageErrors }) => {
  await load(page);
  await page.goto(`#/tiles?geometry=${MODEL}&model=${MODEL}`);
  await page.getByRole('button', { name: 'Other picture' }).click();
  await page.getByTestId('choose-picture').setInputFiles(join(folder, '0.png'));
  await expect(page.getByTestId('cut')).toContainText('8 tiles + thumbnail');
  await expect(page.getByTestId('grid-reason')).toHaveText(
    'The longer side becomes 512 pixels, and both are rounded up to whole tiles: 4×2.',
  );
  await expect(page.getByRole('button', { name: /chosen$/ })).toHaveCount(1);
  await expect(page.locator('[data-tile="8"]')).toHaveAccessibleName(/<global-img>/);
  const most = page.getByLabel('Max tiles');
  await expect(most).toHaveAttribute('max', '16');
  await most.fill('3');
  await expect(page.getByTestId('cut')).toContainText('2 tiles + thumbnail');
  const size = page.getByLabel('Tile size (px)');
  await size.fill('140');
  await expect(page.getByRole('alert')).toHaveText('A multiple of 64, up to 896.');
  await page.getByRole('radio', { name: '256' }).check();
  await expect(page).toHaveURL(/size=256/);
  await expect(page.getByRole('alert')).toHaveCount(0);
  await expectSound(page);

  // An address of another model's numbers is answered by what this one takes, and by the way back.
  await page.goto(`#/tiles?max=16`);
  await page.reload();
  await expect(page.getByRole('alert')).toContainText('from 1 to 12');
  await page.getByRole('button', { name: 'As the model has it' }).click();
  await expect(page.getByTestId('cut')).toBeVisible();
  await page.getByRole('radio', { name: 'Row, column', exact: true }).check();
  await expect(page.getByRole('alert')).toContainText('Choose a model that brings its tokenizer');
  expect(pageErrors).toEqual([]);
});

test('a LoRA adapter is trained on it and answers in Chat', async ({ page }) => {
  await load(page);
  await page.goto('#/finetune');
  await page.getByRole('button', { name: 'Draw examples' }).click();
  await page.getByLabel('Pictures to draw from').fill('3');
  await page.getByRole('button', { name: 'Draw', exact: true }).click();
  await page.getByRole('button', { name: 'Set up the run' }).click();
  await page.getByLabel('Model', { exact: true }).selectOption('tiny-smolvlm');
  await page.getByText('More settings').click();
  for (const [label, value] of [
    ['Steps', 3],
    ['Batch', 1],
    ['Warm-up', 1],
    ['Sample questions', 1],
    ['Most tiles a picture', 16],
  ] as const) {
    await page.getByLabel(label, { exact: true }).fill(String(value));
  }
  await expect(page.getByText('It fits.')).toBeVisible();
  await page.getByRole('button', { name: 'Start the run' }).click();
  await expect(page.getByText('Finished.', { exact: true })).toBeVisible({ timeout: 60_000 });
  await page.getByRole('button', { name: 'To the result' }).click();
  await page.getByRole('link', { name: 'Try it in Chat' }).click();
  await expect(page.getByRole('radio', { name: 'tiny-smolvlm' })).toBeChecked();
  await page.getByTestId('choose-picture').setInputFiles(join(folder, '2.png'));
  await ask(page, 'What colour is the square?');
  await expect(page.getByRole('article').last()).toContainText(/with /);
});
