import { randomCode } from './note.ts';
import type { Random } from './random.ts';
import { ask, askAll, askKind, blankScene, putText } from './scene.ts';
import type { Scene } from './scene.ts';
import { CODE_LETTERS, FOODS } from './vocabulary.ts';
import type { Grid } from './vocabulary.ts';

export interface ReceiptItem {
  /** Row of cells. */
  row: number;
  name: string;
  /** Four characters, `0.00` to `9.99`. */
  price: string;
}

/** Longest name beside a price on a picture `width` cells wide: one cell stays blank between them on wide ones. */
export function longestName(width: number): number {
  return width <= 8 ? 3 : 7;
}

/**
 * Names at the left edge, prices at the right, and with `total` a SUM line in the last row.
 * `rng` chooses which present and which absent item is asked about.
 */
export function receiptOfItems(grid: Grid, items: readonly ReceiptItem[], total: boolean, rng: Random): Scene {
  const scene = blankScene('receipt', grid);
  const priceCol = scene.width - 4;
  for (const { row, name, price } of items) {
    putText(scene, row, 0, name);
    putText(scene, row, priceCol, price);
  }
  const everything = items.map(({ name, price }) => `${name} ${price}`);
  if (total) {
    const sum = totalOf(items.map((item) => item.price));
    putText(scene, scene.height - 1, 0, 'SUM');
    putText(scene, scene.height - 1, priceCol, sum);
    everything.push(`SUM ${sum}`);
    ask(scene, 'total', 'What is the total?', sum);
    ask(scene, 'total', 'How much is it in total?', sum);
  }
  for (const { name, price } of items) {
    ask(scene, 'price', `How much is the ${name}?`, price);
    ask(scene, 'price', `What does the ${name} cost?`, price);
    if (items.filter((item) => item.price === price).length === 1) ask(scene, 'item', `What costs ${price}?`, name);
  }
  const [first, last] = [items[0], items.at(-1)];
  if (first && last) {
    ask(scene, 'item', 'What is the first item?', first.name);
    ask(scene, 'item', 'What is the last item?', last.name);
  }
  ask(scene, 'count', 'How many items are there?', String(items.length));
  const names = items.map((item) => item.name);
  const other = rng.choice(FOODS.filter((food) => !names.includes(food)));
  ask(scene, 'absent', `How much is the ${other}?`, 'It is not on the receipt.');
  ask(scene, 'is there', `Is there ${other} on the receipt?`, 'no');
  if (names.length > 0) ask(scene, 'is there', `Is there ${rng.choice(names)} on the receipt?`, 'yes');
  askAll(scene, everything.join('\n'));
  askKind(scene);
  return scene;
}

/** Sum of four-character prices in four characters: from 10.00 on the last digit is cut off (`12.34` → `12.3`). */
export function totalOf(prices: readonly string[]): string {
  const cents = prices.reduce((sum, price) => sum + Number(price.replace('.', '')), 0);
  const text = `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`;
  return text.slice(0, 4);
}

/** Receipts need two tiles' width: a one-tile-wide grid becomes two wide. */
export function randomReceipt(rng: Random, asked: Grid): Scene {
  const grid = asked.cols === 1 ? { cols: 2, rows: asked.rows } : asked;
  const { width, height } = blankScene('receipt', grid);
  const most = longestName(width);
  const total = rng.random() < 0.6;
  const free = height - (total ? 1 : 0);
  const count = rng.randint(total ? 2 : 1, Math.min(free, 6));
  const rows = rng
    .sample(
      Array.from({ length: free }, (_, i) => i),
      count,
    )
    .sort((a, b) => a - b);
  const names = differing(count, () => randomName(rng, most));
  const prices = differing(count, () => randomPrice(rng));
  const items = rows.map((row, i) => ({ row, name: names[i] ?? '', price: prices[i] ?? '' }));
  return receiptOfItems(grid, items, total, rng);
}

function randomName(rng: Random, most: number): string {
  if (rng.random() < 0.55) return rng.choice(FOODS.filter((food) => food.length <= most));
  if (rng.random() < 0.4) return randomCode(rng, rng.randint(2, Math.min(most, 5)));
  const length = rng.randint(3, Math.min(most, 5));
  return Array.from({ length }, () => rng.choice(CODE_LETTERS)).join('');
}

/** Half of the prices end in 0 or 5 twice, as shop prices do. */
function randomPrice(rng: Random): string {
  if (rng.random() < 0.5) return `${rng.randint(0, 9)}.${rng.choice('05')}${rng.choice('05')}`;
  return `${rng.randint(0, 9)}.${String(rng.randint(0, 99)).padStart(2, '0')}`;
}

function differing(count: number, make: () => string): string[] {
  const found = new Set<string>();
  while (found.size < count) found.add(make());
  return [...found];
}
