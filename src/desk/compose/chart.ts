import { chartOfBars, highestBar } from '../chart.ts';
import type { Bar } from '../chart.ts';
import { CODE_LETTERS, COLOURS, GRIDS } from '../vocabulary.ts';
import { compose, smallestGrid } from './composition.ts';
import type { ComposeStyle, Composition } from './composition.ts';

export const MOST_BARS = 6;
const HIGHEST = highestBar(Infinity);

/** A bar chart from typed bars; bars that cannot be drawn are left out and reported. */
export function composeChart(bars: readonly Bar[], style: ComposeStyle = {}): Composition {
  const problems: string[] = [];
  const kept: Bar[] = [];
  for (const [i, bar] of bars.slice(0, MOST_BARS).entries()) {
    const say = (problem: string) => problems.push(`Bar ${i + 1}: ${problem}`);
    const label = bar.label.slice(0, 20).trim().toUpperCase();
    const height = Math.min(HIGHEST, Math.round(bar.height));
    if (label.length !== 1 || !CODE_LETTERS.includes(label)) say('left out: a label is one letter, A–Z without I and O.');
    else if (kept.some((other) => other.label === label)) say(`left out: there is a bar ${label} already.`);
    else if (!(height >= 1)) say(`left out: a height is a whole number from 1 to ${HIGHEST}.`);
    else if (!COLOURS.includes(bar.colour)) say(`left out: the colours are ${COLOURS.join(', ')}.`);
    else {
      if (height !== bar.height) say(`drawn ${height} high: heights are whole numbers from 1 to ${HIGHEST}.`);
      kept.push({ label, height, colour: bar.colour });
    }
  }
  if (bars.length > MOST_BARS) problems.push(`Only the first ${MOST_BARS} bars are drawn: more do not fit.`);
  if (kept.length === 0) problems.push('Give at least one bar.');

  const grid = smallestGrid(kept.length, Math.max(0, ...kept.map((bar) => bar.height)) + 1) ?? GRIDS[0]!;
  const width = grid.cols * 4;
  const step = width >= 2 * kept.length ? 2 : 1;
  const col = Math.max(0, Math.floor((width - (kept.length - 1) * step - 1) / 2));
  return compose(style, (rng) => chartOfBars(grid, kept, col, step, rng), problems);
}
