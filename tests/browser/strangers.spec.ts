/** What strangers send: links, templates and patterns that would have the page fetch, run or hang. */
import type { Page } from '@playwright/test';
import { fakeHub, goldenModel } from './fake-hub.ts';
import { expect, test } from './fixtures.ts';

type Json = Record<string, unknown>;

/** A golden model with one of its JSON files changed. */
async function changed(file: string, change: (json: Json) => Json): Promise<Map<string, Buffer>> {
  const files = await goldenModel('nvlm-d');
  const json = JSON.parse(files.get(file)!.toString()) as Json;
  return files.set(file, Buffer.from(JSON.stringify(change(json))));
}

async function stillUsable(page: Page): Promise<void> {
  await page.getByLabel('Model shape').selectOption('nano-h');
  await expect(page.getByRole('alert')).toHaveCount(0);
  await expect(page.getByTestId('cut')).toBeVisible();
}

test('a link with a stranger’s shape fetches nothing before the visitor says so', async ({ page }) => {
  const hub = await fakeHub(page, { 'org/tiny-nvlm': await goldenModel('nvlm-d') });
  await page.goto('#/tiles?geometry=hf:org/tiny-nvlm&prompt=Hi');
  const question = page.getByRole('status').filter({ hasText: 'hf:org/tiny-nvlm' });
  await expect(question).toContainText('Nothing of it was fetched');
  // Meanwhile the picture is cut all the same.
  await expect(page.getByTestId('cut')).toContainText('tiles + thumbnail');
  expect(hub.seen).toEqual([]);

  await question.getByRole('button', { name: 'Stay with NVLM-1.0' }).click();
  await expect(question).toHaveCount(0);
  await expect(page).not.toHaveURL(/geometry/);
  expect(hub.seen).toEqual([]);

  await page.goto('#/tiles?geometry=hf:org/tiny-nvlm&prompt=Hello');
  await question.getByRole('button', { name: 'Fetch and use them' }).click();
  await expect(question).toHaveCount(0);
  await expect.poll(() => hub.seen.length).toBeGreaterThan(0);
  await expect(page.getByLabel('Model shape')).toHaveValue('hf:org/tiny-nvlm');
  await expect(page.getByRole('alert')).toHaveCount(0);
});

test('loops in loops in a chat template, and (a+)+$ in a tokenizer, leave the page usable and are named', async ({ page }) => {
  const loops = '{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}x{% endfor %}{% endfor %}{% endfor %}';
  const split = { type: 'Split', pattern: { Regex: '(a+)+$' }, behavior: 'Isolated', invert: false };
  await fakeHub(page, {
    'org/loops': await changed('tokenizer_config.json', (json) => ({ ...json, chat_template: loops })),
    'org/split': await changed('tokenizer.json', (json) => ({
      ...json,
      pre_tokenizer: { type: 'Sequence', pretokenizers: [split, json.pre_tokenizer] },
    })),
    'org/look': await changed('tokenizer.json', (json) => ({ ...json, pre_tokenizer: { ...split, pattern: { Regex: '(?=(a+)+$)b' } } })),
  });
  const ask = async (name: string, prompt: string) => {
    await page.goto(`#/tiles?geometry=hf:org/${name}&prompt=${prompt}`);
    await page.getByRole('button', { name: 'Fetch and use them' }).click();
  };

  await ask('loops', 'Hi');
  await expect(page.getByRole('alert')).toContainText('chat template failed: it took more than', { timeout: 5000 });
  await stillUsable(page);

  await ask('split', `${'a'.repeat(60)}b`);
  await expect(page.getByTestId('cut')).toBeVisible({ timeout: 5000 });
  await expect(page.getByLabel('Model shape')).toHaveValue('hf:org/split');
  await expect(page.getByRole('alert')).toHaveCount(0);
  await stillUsable(page);

  await ask('look', 'Hi');
  await expect(page.getByRole('alert')).toContainText('cannot be run safely, “(?=(a+)+$)b”', { timeout: 5000 });
  await stillUsable(page);
});

/** The worker as the template leaves it that slips through every budget: it announces the work and is not heard of again. */
const HANG = `{
  const post = globalThis.postMessage.bind(globalThis);
  globalThis.postMessage = (message, ...rest) => {
    if (message?.deafIn?.what !== 'the model’s chat template') return post(message, ...rest);
    post({ deafIn: { ...message.deafIn, seconds: 1 } });
    for (;;);
  };
}`;

test.describe('a worker that hangs', () => {
  // Its cache would answer before the route does.
  test.use({ serviceWorkers: 'block' });
  test('in a chat template is ended and named, and the next one answers', async ({ page }) => {
    let workers = 0;
    await page.route(/assets\/engine\.worker-.*\.js$/, async (route) => {
      const response = await route.fetch();
      const script = await response.text();
      await route.fulfill({ response, body: workers++ === 0 ? HANG + script : script });
    });
    await page.goto('./');
    await expect(page.getByRole('heading', { name: 'Ask about the picture' })).toBeVisible();
    await page.getByRole('button', { name: 'Read everything.' }).click();
    const turn = page.getByRole('article').last();
    // A second of hanging, and the model anew.
    await expect(turn.getByRole('alert')).toContainText('It did not come to an end with the model’s chat template, so it was ended', {
      timeout: 8000,
    });
    await expect(page.getByText('The engine stopped and was started again.')).toBeVisible();
    await turn.getByRole('button', { name: 'Retry' }).click();
    await expect(page.getByRole('article').last()).toContainText('PLATFORM');
    expect(workers).toBe(2);
  });
});

test('where the browser has Trusted Types, no text becomes markup and no script comes from elsewhere', async ({ page, pageErrors }) => {
  await page.goto('#/models');
  await expect(page.getByRole('heading', { name: 'nano-d' })).toBeVisible();
  const attempts = await page.evaluate(() => {
    const fails = (work: () => unknown) => {
      try {
        work();
        return false;
      } catch (error) {
        return error instanceof TypeError;
      }
    };
    return [
      'trustedTypes' in globalThis,
      fails(() => (document.createElement('div').innerHTML = '<img src=x onerror=alert(1)>')),
      fails(() => (document.createElement('script').src = 'https://elsewhere.example/x.js')),
      fails(() => new Worker('https://elsewhere.example/x.js')),
    ];
  });
  expect(attempts).toEqual([true, true, true, true]);
  pageErrors.length = 0;
});
