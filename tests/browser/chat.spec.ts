import type { Page } from '@playwright/test';
import { encodePng } from '../../src/tiling/encode-png.ts';
import { expect, test } from './fixtures.ts';

async function open(page: Page, query = ''): Promise<void> {
  await page.goto(`#/chat${query}`);
  await expect(page.getByRole('heading', { name: 'Ask about the picture' })).toBeVisible();
  await expect(page.getByRole('progressbar')).toHaveCount(0);
}

const composer = (page: Page) => page.getByRole('textbox', { name: 'Your question' });
const answers = (page: Page) => page.getByRole('article');

async function ask(page: Page, question: string): Promise<void> {
  const before = await answers(page).count();
  await composer(page).fill(question);
  await composer(page).press('Enter');
  await expect(answers(page)).toHaveCount(before + 1);
  await expect(answers(page).last().getByRole('button', { name: 'Retry' })).toBeVisible();
}

/** A picture of one colour. */
async function png(width: number, height: number): Promise<Buffer> {
  return Buffer.from(await encodePng({ width, height, data: new Uint8Array(width * height * 3).fill(200) }));
}

test('a newcomer has an answer about an example with one tap', async ({ page }) => {
  await open(page);
  await page.getByRole('button', { name: 'Read everything.' }).click();
  const answer = answers(page).last();
  await expect(answer).toContainText('PLATFORM\n7\nTRAIN', { useInnerText: true });
  await expect(answer).toContainText('right');
  await expect(answer).toContainText(/\d+ tokens\/s/);
  await expect(answer).toContainText(/first after [\d.]+ m?s/);
  await expect(answer).toContainText(/\d+ read, 48 visual/);
  await expect(page.getByRole('status').filter({ hasText: 'Answer: PLATFORM' })).toHaveCount(1);
});

test('a newcomer types a note and the model reads it', async ({ page }) => {
  await open(page);
  await page.getByRole('radio', { name: 'Type your own' }).check();
  await page.getByRole('textbox', { name: /One word, number or code a line/ }).fill('k7\nlemon\n42');
  await page.getByRole('list', { name: 'Ask about what you typed' }).getByRole('button', { name: 'Read everything.' }).click();
  await expect(answers(page).last()).toContainText('K7\nLEMON\n42', { useInnerText: true });
  await expect(page.getByRole('img', { name: 'K7\nLEMON\n42' })).toBeVisible();
});

test('says what of a typed note cannot be drawn', async ({ page }) => {
  await open(page);
  await page.getByRole('radio', { name: 'Type your own' }).check();
  await page.getByRole('textbox', { name: /One word/ }).fill('é!');
  await expect(page.getByRole('status').filter({ hasText: 'Type at least one letter or digit.' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Use this picture' })).toBeDisabled();
});

test('takes typed receipts, charts and shapes', async ({ page }) => {
  await open(page);
  await page.getByRole('radio', { name: 'Type your own' }).check();
  const questions = page.getByRole('list', { name: 'Ask about what you typed' });

  await page.getByRole('radio', { name: 'Receipt' }).check();
  await page.getByLabel('Name of item 1').fill('jam');
  await page.getByLabel('Price of item 1').fill('1,50');
  await expect(questions.getByRole('button', { name: 'How much is the JAM?' })).toBeVisible();

  await page.getByRole('radio', { name: 'Bars' }).check();
  await page.getByRole('button', { name: 'Add bar' }).click();
  await page.getByLabel('Letter of bar 4').fill('z');
  await expect(questions.getByRole('button', { name: 'How many bars are there?' })).toBeVisible();

  await page.getByRole('radio', { name: 'Shapes' }).check();
  await page.getByRole('button', { name: 'Row 4, column 4: empty' }).click();
  await expect(page.getByRole('button', { name: 'Row 4, column 4: big purple triangle' })).toBeVisible();
  await questions.getByRole('button', { name: 'How many shapes are there?' }).click();
  await expect(answers(page).last()).toContainText('right');
});

test('several turns, retry, edit, and a cleared conversation brought back', async ({ page }) => {
  await open(page, '?picture=first-shapes');
  await ask(page, 'What colour is the star?');
  await expect(answers(page).last()).toContainText('red');
  await ask(page, 'How many shapes are there?');
  await expect(answers(page).last()).toContainText('3');
  await expect(answers(page).first().getByRole('button', { name: 'Retry' })).toHaveCount(0);

  await answers(page).last().getByRole('button', { name: 'Retry' }).click();
  await expect(answers(page).last()).toContainText('3');
  await expect(answers(page)).toHaveCount(2);

  await answers(page).last().getByRole('button', { name: 'Edit this question' }).click();
  await expect(composer(page)).toHaveValue('How many shapes are there?');
  await expect(answers(page)).toHaveCount(1);

  await page.getByRole('button', { name: 'New chat' }).click();
  await expect(answers(page)).toHaveCount(0);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(answers(page)).toHaveCount(1);
  await expect(composer(page)).toHaveValue('How many shapes are there?');
});

test('stops an answer with Escape and keeps what was written', async ({ page }) => {
  // A high temperature and a long answer: there is time to stop.
  await page.addInitScript(() => localStorage.setItem('nvlm.chat', JSON.stringify({ temperature: 2, maxNewTokens: 256, seed: 3 })));
  await open(page, '?picture=six-tile-bars');
  await composer(page).fill('Tell me a very long story.');
  await composer(page).press('Enter');
  await expect(page.getByRole('button', { name: 'Stop' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(answers(page).last()).toContainText('stopped');
  await expect(page.getByRole('button', { name: 'Send' })).toBeVisible();
});

test('draws what a model or a visitor writes as text, never as HTML', async ({ page }) => {
  await open(page);
  await ask(page, '<img src=x onerror="document.title=1"><b>bold</b>');
  const turn = answers(page).last();
  await expect(turn).toContainText('<img src=x onerror="document.title=1"><b>bold</b>');
  await expect(turn.locator('img, b')).toHaveCount(0);
});

test('switches between D, X and H and writes it into the address', async ({ page }) => {
  await open(page, '?picture=sign');
  for (const model of ['nano-h', 'nano-x', 'nano-d']) {
    await page.getByRole('radio', { name: model }).check();
    await expect(page.getByRole('progressbar')).toHaveCount(0);
    await ask(page, 'What kind of picture is this?');
    await expect(answers(page).last()).toContainText(model);
    await expect(answers(page).last()).toContainText('a note');
    if (model !== 'nano-d') await expect(page).toHaveURL(new RegExp(`model=${model}`));
  }
});

test('opens with the model and the picture of the address', async ({ page }) => {
  await open(page, '?model=nano-h&picture=codes');
  await expect(page.getByRole('radio', { name: 'nano-h' })).toBeChecked();
  await expect(page.getByRole('figure')).toContainText('Codes in the corners');
  await expect(page.getByText('nano-h is very small.')).toBeVisible();
});

test('the tiling that the model read is one link away, question included', async ({ page }) => {
  await open(page, '?picture=six-tile-bars');
  await ask(page, 'How high is bar T?');
  await page.getByRole('link', { name: 'See how it was tiled' }).click();
  await expect(page.getByTestId('cut')).toContainText('336 × 224 → 6 tiles + thumbnail');
  await expect(page).toHaveURL(/geometry=nano-d/);
  await expect(page.getByRole('textbox', { name: /prompt|question/i })).toHaveValue('How high is bar T?');
});

test('going back leads to the screen before, not to the model before', async ({ page }) => {
  await open(page);
  await page.getByRole('link', { name: 'Models' }).click();
  await page.getByRole('article', { name: 'nano-h' }).getByRole('button', { name: 'Load', exact: true }).click();
  await expect(page.getByRole('article', { name: 'nano-h' }).getByRole('button', { name: 'Unload' })).toBeVisible();
  await page.goBack();
  await expect(page.getByRole('radio', { name: 'nano-h' })).toBeChecked();
  await expect(page).toHaveURL(/#\/chat\?.*model=nano-h/);
  await page.goto('#/chat?model=nano-x');
  await expect(page.getByRole('radio', { name: 'nano-x' })).toBeChecked();
});

test.describe('pictures of one’s own', () => {
  test('are chosen, and start a new conversation that can be undone', async ({ page }) => {
    await open(page);
    await ask(page, 'How many lines are there?');
    await page.getByTestId('choose-picture').setInputFiles({ name: 'grey.png', mimeType: 'image/png', buffer: await png(300, 200) });
    await expect(page.getByRole('figure')).toContainText('grey.png');
    await expect(page.getByRole('figure')).toContainText('300 × 200 px · 6 tiles + thumbnail · 112 visual tokens');
    await expect(answers(page)).toHaveCount(0);
    await page.getByRole('button', { name: 'Undo' }).click();
    await expect(page.getByRole('figure')).toContainText('To the train');
    await expect(answers(page)).toHaveCount(1);
  });

  test('are dropped and pasted anywhere', async ({ page }) => {
    await open(page);
    const bytes = [...(await png(64, 64))];
    for (const [type, name] of [
      ['drop', 'dropped.png'],
      ['paste', 'pasted.png'],
    ] as const) {
      await page.evaluate(
        ([type, name, bytes]) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], name, { type: 'image/png' }));
          const event =
            type === 'drop'
              ? new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
              : new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true });
          document.body.dispatchEvent(event);
        },
        [type, name, bytes] as const,
      );
      await expect(page.getByRole('figure')).toContainText(name);
    }
  });

  test('may come in a format that only the browser knows', async ({ page }) => {
    await open(page);
    const gif = Buffer.from(
      'R0lGODdhKAAUAIAAAAAAAAAAACwAAAAAKAAUAEAIMAABCBxIsKDBgwgTKlzIsKHDhxAjSpxIsaLFixgzatzIsaPHjyBDihxJsqTJkxQDAgA7',
      'base64',
    );
    await page.getByTestId('choose-picture').setInputFiles({ name: 'flat.gif', mimeType: 'image/gif', buffer: gif });
    await expect(page.getByRole('figure')).toContainText('40 × 20 px · 2 tiles + thumbnail · 48 visual tokens');
  });

  for (const [what, name, make, words] of [
    ['a text file', 'notes.txt', async () => Buffer.from('Hello'), 'is not a picture that can be read here'],
    ['a truncated picture', 'cut.png', async () => (await png(300, 200)).subarray(0, 200), /./],
    ['a picture of a billion pixels', 'bomb.png', async () => hugePng(), /./],
  ] as const) {
    test(`${what} is refused beside the picture, which stays`, async ({ page }) => {
      await open(page);
      await page.getByTestId('choose-picture').setInputFiles({ name, mimeType: 'image/png', buffer: await make() });
      const problem = page.getByRole('region', { name: 'Picture' }).getByRole('alert');
      await expect(problem).toContainText(words);
      await expect(page.getByRole('figure')).toContainText('To the train');
      await problem.getByRole('button', { name: 'Dismiss' }).click();
      await expect(problem).toHaveCount(0);
      await ask(page, 'How many lines are there?');
      await expect(answers(page).last()).toContainText('right');
    });
  }
});

test('says beside the composer that there is no question, and that one is too long', async ({ page }) => {
  await open(page);
  await composer(page).press('Enter');
  await expect(page.getByRole('alert')).toContainText('There is no question yet.');
  await composer(page).fill('ABCDEFGH '.repeat(600));
  await expect(page.getByRole('alert')).toHaveCount(0);
  await composer(page).press('Enter');
  await expect(answers(page).last().getByRole('alert')).toBeVisible();
  await ask(page, 'Read line 1.');
  await expect(answers(page).last()).toContainText('PLATFORM');
});

test('works by keyboard: shortcuts, newline, last question', async ({ page }) => {
  await open(page);
  await page.locator('body').press('/');
  await expect(composer(page)).toBeFocused();
  await composer(page).press('a');
  await composer(page).press('Shift+Enter');
  await composer(page).press('?');
  await expect(composer(page)).toHaveValue('a\n?');
  await composer(page).fill('Read line 2.');
  await composer(page).press('Enter');
  await expect(answers(page).last()).toContainText('7');
  await composer(page).press('ArrowUp');
  await expect(composer(page)).toHaveValue('Read line 2.');
  await composer(page).blur();
  await page.locator('body').press('?');
  await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
});

test('comes back by itself when its worker is ended, conversation kept', async ({ page, pageErrors }) => {
  await open(page);
  await ask(page, 'Read line 1.');
  // As when the browser ends a worker that takes too much memory: no event tells the page.
  await page.workers()[0]!.evaluate(() => self.close());
  await expect(page.getByRole('status').filter({ hasText: 'The engine stopped and was started again.' })).toBeVisible();
  await expect(answers(page)).toHaveCount(1);
  await ask(page, 'Read line 2.');
  await expect(answers(page).last()).toContainText('7');
  pageErrors.length = 0;
});

/** A PNG whose header promises 40 000 × 30 000 pixels. */
async function hugePng(): Promise<Buffer> {
  const file = await png(8, 8);
  file.writeUInt32BE(40_000, 16);
  file.writeUInt32BE(30_000, 20);
  return file;
}
