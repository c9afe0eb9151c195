import type { Random } from './random.ts';
import { ask, askKind, blankScene, putCell, putText } from './scene.ts';
import type { Scene } from './scene.ts';
import { CODE_LETTERS, COLOURS } from './vocabulary.ts';
import type { Colour, Grid } from './vocabulary.ts';

export interface Bar {
  /** One letter of `CODE_LETTERS`. */
  label: string;
  /** Cells, at least 1. */
  height: number;
  colour: Colour;
}

/** Highest bar on a picture of `height` rows of cells: the last row holds the labels. */
export function highestBar(height: number): number {
  return Math.min(height - 1, 7);
}

/**
 * Bars from left to right in columns `col`, `col + step` …, labels in the last row.
 * `rng` chooses which pairs and which absent label are asked about.
 */
export function chartOfBars(grid: Grid, bars: readonly Bar[], col: number, step: number, rng: Random): Scene {
  const scene = blankScene('chart', grid);
  const base = scene.height - 1;
  for (const [i, bar] of bars.entries()) {
    putText(scene, base, col + i * step, bar.label);
    for (let up = 1; up <= bar.height; up++) putCell(scene, base - up, col + i * step, { kind: 'bar', colour: bar.colour });
  }
  ask(scene, 'count', 'How many bars are there?', String(bars.length));
  ask(scene, 'all', 'Read the labels.', bars.map((bar) => bar.label).join(' '));
  const heights = bars.map((bar) => bar.height);
  for (const [word, extreme] of [
    ['highest', Math.max(...heights)],
    ['lowest', Math.min(...heights)],
  ] as const) {
    const [only, ...others] = bars.filter((bar) => bar.height === extreme);
    if (!only || others.length > 0) continue;
    // Twice: weighs as much as the questions about single bars.
    ask(scene, 'highest', `Which bar is the ${word}?`, only.label);
    ask(scene, 'highest', `Which bar is the ${word}?`, only.label);
  }
  for (const bar of bars) {
    ask(scene, 'height', `How high is bar ${bar.label}?`, String(bar.height));
    ask(scene, 'bar colour', `What colour is bar ${bar.label}?`, bar.colour);
    if (bars.filter((other) => other.colour === bar.colour).length === 1) {
      ask(scene, 'bar colour', `Which bar is ${bar.colour}?`, bar.label);
    }
  }
  for (let i = 0; i < 2 && bars.length >= 2; i++) {
    const [a, b] = rng.sample(bars, 2) as [Bar, Bar];
    if (a.height === b.height) continue;
    ask(scene, 'relation', `Is bar ${a.label} higher than bar ${b.label}?`, a.height > b.height ? 'yes' : 'no');
  }
  ask(scene, 'all', 'Describe the image.', bars.map((bar) => `${bar.colour} bar ${bar.label} ${bar.height}`).join(', '));
  const labels = bars.map((bar) => bar.label);
  const other = rng.choice([...CODE_LETTERS].filter((letter) => !labels.includes(letter)));
  ask(scene, 'absent', `How high is bar ${other}?`, `There is no bar ${other}.`);
  askKind(scene);
  return scene;
}

/** Two to six bars, beside each other or one cell apart; half of the charts have bars of different colours only. */
export function randomChart(rng: Random, grid: Grid): Scene {
  const { width, height } = blankScene('chart', grid);
  const count = rng.randint(2, Math.min(width, 6));
  const step = width >= 2 * count && rng.random() < 0.7 ? 2 : 1;
  const col = rng.randint(0, width - (count - 1) * step - 1);
  const labels = rng.sample([...CODE_LETTERS], count);
  const heights = labels.map(() => rng.randint(1, highestBar(height)));
  const colours = rng.random() < 0.5 ? rng.sample(COLOURS, count) : labels.map(() => rng.choice(COLOURS));
  const bars = labels.map((label, i) => ({ label, height: heights[i] ?? 1, colour: colours[i] ?? 'red' }));
  return chartOfBars(grid, bars, col, step, rng);
}
