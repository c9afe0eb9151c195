import { readFile } from 'node:fs/promises';
import AxeBuilder from '@axe-core/playwright';
import type { Download, Page } from '@playwright/test';
import { nvlm72bGeometry } from '../../src/engine/inspect/geometries.ts';
import { inspectPicture, type InspectOptions } from '../../src/engine/inspect/inspect.ts';
import { inspectionJson } from '../../src/engine/inspect/inspection-json.ts';
import { decodeImage } from '../../src/tiling/decode.ts';
import { encodePng } from '../../src/tiling/encode-png.ts';
import type { RgbImage } from '../../src/tiling/types.ts';
import { expect, test } from './fixtures.ts';

const geometry = nvlm72bGeometry();

/** Rings and ramps: every tile looks different. */
function picture(width: number, height: number): RgbImage {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 3;
      data[at] = (x * 255) / width;
      data[at + 1] = (y * 255) / height;
      data[at + 2] = 127 + 120 * Math.sin(Math.hypot(x - width / 3, y - height / 2) / 9);
    }
  }
  return { width, height, data };
}

const landscape = picture(700, 500);

async function choose(page: Page, image: RgbImage, name = 'rings.png'): Promise<void> {
  const before = (await page.getByTestId('cut').count()) > 0;
  if (before) await page.getByRole('button', { name: 'Other picture' }).click();
  const buffer = Buffer.from(await encodePng(image));
  await page.getByTestId('choose-picture').setInputFiles({ name, mimeType: 'image/png', buffer });
  await expect(page.getByTestId('cut')).toContainText(`${image.width} × ${image.height} →`);
}

async function open(page: Page, query = ''): Promise<void> {
  await page.goto(`#/tiles${query}`);
  await expect(page.getByTestId('cut')).toBeVisible();
}

/** What the screen says about costs: architecture → metric → value. */
function shownCosts(page: Page): Promise<Record<string, Record<string, number>>> {
  return page.evaluate(() => {
    const rows = [...document.querySelectorAll<HTMLElement>('[data-architecture]')];
    return Object.fromEntries(
      rows.map((row) => {
        const metrics = [...row.querySelectorAll<HTMLElement>('[data-metric]')];
        return [row.dataset.architecture, Object.fromEntries(metrics.map(({ dataset }) => [dataset.metric, Number(dataset.value)]))];
      }),
    );
  });
}

async function expectShown(page: Page, image: RgbImage, options: InspectOptions): Promise<void> {
  const { costs, tiling, tokens } = inspectPicture(image, geometry, options);
  await expect.poll(() => shownCosts(page)).toEqual(costs);
  await expect(page.locator('[data-tile]')).toHaveCount(tiling.tiles.length);
  for (const { index, tag } of tiling.tiles) {
    await expect(page.locator(`[data-tile="${index}"]`)).toHaveAccessibleName(tag ? new RegExp(escape(tag)) : /Enlarge/);
  }
  await expect(page.getByText(`${tokens.visual.toLocaleString('en-US')} visual tokens`, { exact: false }).first()).toBeVisible();
  await expect(page.getByTestId('grid-reason')).toHaveText(tiling.grid.reason);
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\<>]/g, '\\$&');
}

async function bytesOf(download: Download): Promise<Uint8Array> {
  return readFile(await download.path());
}

/** Has anything been drawn on the layer that shows what is pointed at? */
function isMarked(page: Page, lane: string): Promise<boolean> {
  return page
    .locator(`[data-lane="${lane}"] canvas`)
    .nth(1)
    .evaluate((canvas: HTMLCanvasElement) => {
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
      return data.some((value, i) => i % 4 === 3 && value > 0);
    });
}

test('shows the counts of the engine, and follows every control', async ({ page }) => {
  await open(page);
  await choose(page, landscape);
  await expectShown(page, landscape, {});
  await page.getByRole('radio', { name: '2-D grid' }).check();
  await expectShown(page, landscape, { tagFormat: '2d-grid' });
  await page.getByRole('slider', { name: /Max tiles/ }).fill('12');
  await expectShown(page, landscape, { tagFormat: '2d-grid', maxTiles: 12 });
  await page.getByRole('radio', { name: '224' }).check();
  await expectShown(page, landscape, { tagFormat: '2d-grid', maxTiles: 12, tileSize: 224 });
  await page.getByRole('spinbutton', { name: 'Tile size (px)' }).fill('140');
  await page.getByRole('radio', { name: 'None' }).check();
  await expectShown(page, landscape, { tagFormat: 'none', maxTiles: 12, tileSize: 140 });
});

test('explains a tie in words', async ({ page }) => {
  await open(page);
  const square = picture(300, 300);
  await choose(page, square);
  await expectShown(page, square, {});
  await expect(page.getByTestId('grid-reason')).toContainText('Tie');
  await expect(page.getByRole('button', { name: /^2 × 2: .*tie, too little area to win/ })).toBeAttached();
});

test('links tokens and tiles both ways', async ({ page }) => {
  await open(page);
  await choose(page, landscape);
  const lane = page.locator('[data-lane="D-decoder"]');
  await lane.scrollIntoViewIfNeeded();
  const box = (await lane.boundingBox())!;
  for (let x = 90; x < box.width; x += 24) {
    await page.mouse.move(box.x + x, box.y + 75);
    const words = await page.getByTestId('read-out').textContent();
    const tile = /visual token \d+ of tile (\d)/.exec(words ?? '')?.[1];
    if (!tile) continue;
    await expect(page.locator(`[data-tile="${Number(tile) - 1}"]`)).toHaveAttribute('data-lit', 'true');
    await expect(page.locator('[data-tile][data-lit]')).toHaveCount(1);
  }
  await page.mouse.move(box.x + 130, box.y + 75);
  await expect(page.getByTestId('read-out')).toContainText('visual token');

  await page.mouse.move(5, 5);
  for (const name of ['D-decoder', 'X-cross', 'H-cross']) expect(await isMarked(page, name)).toBe(false);
  await page.locator('[data-tile="3"]').hover();
  for (const name of ['D-decoder', 'X-decoder', 'X-cross', 'H-cross']) await expect.poll(() => isMarked(page, name)).toBe(true);
  expect(await isMarked(page, 'H-decoder')).toBe(false);
});

test('works without a pointer', async ({ page }) => {
  await open(page);
  await choose(page, landscape);
  const { plans, tokens } = inspectPicture(landscape, geometry);
  const lane = page.getByRole('slider', { name: 'NVLM-D, decoder sequence' });
  await lane.focus();
  await page.keyboard.press('End');
  await expect(lane).toHaveAttribute('aria-valuenow', String(plans.D.counts.decoderTokens - 1));
  await page.keyboard.press('Home');
  for (let jump = 0; jump < 2; jump++) await page.keyboard.press('PageDown');
  await page.keyboard.press('ArrowDown');
  await expect(lane).toHaveAttribute('aria-valuetext', /visual token 17 of tile 1, row 2, column 1$/);
  await expect(page.locator('[data-tile="0"]')).toHaveAttribute('data-lit', 'true');

  const mask = page.getByRole('slider', { name: /^NVLM-X, which rows see which tile/ });
  await mask.focus();
  await page.keyboard.press('Home');
  await expect(mask).toHaveAttribute('aria-valuetext', /^Row 0 .* sees no tile$/);
  await page.keyboard.press('End');
  await expect(mask).toHaveAttribute('aria-valuetext', /sees all 7 tiles$/);
  for (let step = 0; step < 5; step++) await page.keyboard.press('ArrowLeft');
  await expect(mask).toHaveAttribute('aria-valuetext', /tag of the thumbnail, sees only the thumbnail$/);

  const tile = page.locator('[data-tile="2"]');
  await tile.focus();
  await page.keyboard.press('Enter');
  const patches = page.getByRole('slider', { name: 'Patches of tile 3' });
  await expect(patches).toBeFocused();
  await page.keyboard.press('End');
  await expect(patches).toHaveAttribute('aria-valuetext', new RegExp(`^token ${tokens.perTile}: pixels 420–448 across, 420–448 down`));
  await page.keyboard.press('Escape');
  await expect(patches).toHaveCount(0);
  await expect(tile).toBeFocused();
});

test('keeps its settings in the address', async ({ page, context }) => {
  await open(page);
  await page.getByRole('slider', { name: /Max tiles/ }).fill('9');
  await page.getByRole('radio', { name: '2-D box' }).check();
  await page.getByRole('radio', { name: '112', exact: true }).check();
  await page.getByRole('radio', { name: 'Resized' }).check();
  await expect(page).toHaveURL(/max=9/);
  for (const part of ['size=112', 'tags=2d-bbox', 'view=resized', 'picture=']) await expect(page).toHaveURL(new RegExp(part));
  await expect.poll(async () => (await shownCosts(page)).D?.decoderTokens).toBeGreaterThan(0);
  const costs = await shownCosts(page);
  const cut = await page.getByTestId('cut').textContent();

  const other = await context.newPage();
  await other.goto(page.url());
  await expect(other.getByTestId('cut')).toHaveText(cut ?? '');
  expect(await shownCosts(other)).toEqual(costs);
  await expect(other.getByRole('radio', { name: 'Resized' })).toBeChecked();
  await expect(other.getByRole('radio', { name: '2-D box' })).toBeChecked();
});

test('follows a link though a change before it is just being written', async ({ page }) => {
  await open(page);
  const address = await page.evaluate(async () => {
    const setTimeout = window.setTimeout;
    const writes: (() => void)[] = [];
    const held = (write: () => void, ms?: number) => (ms === 150 ? writes.push(write) : setTimeout(write, ms));
    window.setTimeout = held as typeof window.setTimeout;
    document.querySelector<HTMLInputElement>('input[value="2d-grid"]')!.click();
    await new Promise((resolve) => setTimeout(resolve, 100));
    // After the page has heard of it and before it shows it.
    window.addEventListener('hashchange', () => writes.forEach((write) => write()), { once: true });
    window.location.hash = '#/tiles?tags=2d-bbox&max=3';
    await new Promise((resolve) => setTimeout(resolve, 100));
    window.setTimeout = setTimeout;
    return { hash: window.location.hash, writes: writes.length };
  });
  expect(address).toEqual({ hash: expect.stringMatching(/max=3.*2d-bbox|2d-bbox.*max=3/), writes: 1 });
  await expect(page.getByRole('radio', { name: '2-D box' })).toBeChecked();
});

test('exports what it shows', async ({ page }) => {
  await open(page);
  await choose(page, landscape, 'my rings.png');
  const inspection = inspectPicture(landscape, geometry);
  await expectShown(page, landscape, {});

  const [json] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'JSON' }).click()]);
  expect(json.suggestedFilename()).toBe('my-rings-tiles.json');
  expect(JSON.parse(Buffer.from(await bytesOf(json)).toString())).toEqual(inspectionJson(inspection));

  const [sheet] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'PNG', exact: true }).click()]);
  const drawn = await decodeImage(await bytesOf(sheet));
  expect(drawn.width).toBeGreaterThan(4 * 448);
  expect(drawn.height).toBeGreaterThan(2 * 448);

  await page.locator('[data-tile="4"]').click();
  const [single] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Save PNG' }).click()]);
  expect(single.suggestedFilename()).toBe('tile_5.png');
  const { width, height, data } = await decodeImage(await bytesOf(single));
  const { pixels } = inspection.tiling.tiles[4]!;
  expect([width, height]).toEqual([448, 448]);
  expect(Buffer.compare(data, pixels.data)).toBe(0);
});

test('says what is wrong beside the control and keeps the view', async ({ page }) => {
  await open(page);
  await choose(page, landscape);
  await expectShown(page, landscape, {});
  await page.getByRole('spinbutton', { name: 'Tile size (px)' }).fill('100');
  await expect(page.getByRole('alert').filter({ hasText: 'A multiple of 28' })).toBeVisible();
  await expectShown(page, landscape, {});

  await page.getByRole('button', { name: 'Other picture' }).click();
  const broken = Buffer.from(await encodePng(landscape)).subarray(0, 900);
  await page.getByTestId('choose-picture').setInputFiles({ name: 'broken.png', mimeType: 'image/png', buffer: broken });
  await expect(page.getByRole('alert').first()).toBeVisible();
  await expectShown(page, landscape, {});
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`has nothing for axe to find, ${colorScheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await open(page, '?geometry=nano-x&prompt=What+does+it+say%3F');
    await page.locator('[data-tile="0"]').click();
    await page.getByRole('button', { name: 'Other picture' }).click();
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
  });
}
