import { longestName, receiptOfItems } from '../receipt.ts';
import { CHARACTERS, GRIDS } from '../vocabulary.ts';
import { compose, keepCharacters, quoted, smallestGrid } from './composition.ts';
import type { ComposeStyle, Composition } from './composition.ts';

export interface TypedItem {
  name: string;
  /** As typed: `2`, `2.5`, `2,50`. */
  price: string;
}

export const MOST_ITEMS = 6;
const LONGEST_NAME = 7;
const NAME_CHARACTERS = CHARACTERS.replace('.', '');

/** A receipt from typed items, with a SUM line when `total`; items that cannot be drawn are left out and reported. */
export function composeReceipt(items: readonly TypedItem[], total: boolean, style: ComposeStyle = {}): Composition {
  const problems: string[] = [];
  const hints: string[] = [];
  const kept: { name: string; price: string }[] = [];
  for (const [i, item] of items.slice(0, MOST_ITEMS).entries()) {
    const { text, dropped } = keepCharacters(item.name, NAME_CHARACTERS);
    const name = text.slice(0, LONGEST_NAME);
    const price = readPrice(item.price);
    const say = (problem: string) => problems.push(`Item ${i + 1}: ${problem}`);
    if (dropped.length > 0) say(`${quoted(dropped)} left out of the name: there are only A–Z and 0–9.`);
    if (text.length > LONGEST_NAME) say(`the name is cut to “${name}”: ${LONGEST_NAME} characters fit.`);
    if (name === '') say('left out: it has no name.');
    else if (name === 'SUM') say('left out: SUM is the name of the total.');
    else if (kept.some((other) => other.name === name)) say(`left out: there is a ${name} already.`);
    else if (price === undefined) say(`left out: “${item.price.slice(0, 12)}” is not a price from 0.00 to 9.99.`);
    else kept.push({ name, price });
  }
  if (items.length > MOST_ITEMS) problems.push(`Only the first ${MOST_ITEMS} items are drawn: more do not fit.`);
  if (kept.length === 0) problems.push('Give at least one item with a name and a price.');

  const withTotal = total && kept.length > 0;
  const longest = Math.max(0, ...kept.map((item) => item.name.length));
  const leastCols = longest > longestName(8) ? 3 : 2;
  const grid = smallestGrid(0, kept.length + (withTotal ? 1 : 0), leastCols) ?? GRIDS[1]!;
  const rows = kept.map((item, row) => ({ ...item, row }));
  if (withTotal && kept.reduce((sum, item) => sum + Number(item.price), 0) >= 10) {
    hints.push('The total has four characters: its last digit is cut off.');
  }
  return compose(style, (rng) => receiptOfItems(grid, rows, withTotal, rng), problems, hints);
}

/** `2`, `2.5`, `2,50` as `2.50`; undefined for anything else. */
function readPrice(typed: string): string | undefined {
  const match = /^(\d)(?:[.,](\d{1,2}))?$/.exec(typed.trim());
  return match ? `${match[1]}.${(match[2] ?? '').padEnd(2, '0')}` : undefined;
}
