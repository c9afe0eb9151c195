import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { drawScene, randomStyle } from './draw.ts';
import type { Picture, Style } from './draw.ts';
import { FONT_OUTLINES } from './glyphs.ts';
import { makeScene } from './make-scene.ts';
import { Random } from './random.ts';
import type { Scene } from './scene.ts';
import { makeTextQuestion } from './text-questions.ts';

/** Means and deviations over many scenes, texts and pictures of the generator that the nano models learnt from. */
interface Statistics {
  n: number;
  metrics: Record<string, [mean: number, deviation: number]>;
}

const world = JSON.parse(readFileSync(new URL('../../tests/fixtures/desk/world-statistics.json', import.meta.url), 'utf8')) as Record<
  'scenes' | 'texts' | 'looks',
  Statistics
>;

type Metrics = Record<string, number>;

function add(metrics: Metrics, name: string, value = 1): void {
  metrics[name] = (metrics[name] ?? 0) + value;
}

function measureScene(scene: Scene): Metrics {
  const m: Metrics = {};
  const { cols, rows } = scene.grid;
  add(m, `${scene.kind} pictures`);
  add(m, `tiles ${cols * rows}`);
  add(m, cols > rows ? 'wide' : rows > cols ? 'tall' : 'even');
  for (const { task, answer } of scene.questions) {
    add(m, task);
    add(m, `${task}, answer length`, answer.length);
    if (answer === 'yes') add(m, `${task}, yes`);
  }
  for (const [i, cell] of scene.cells.entries()) {
    if (!cell) continue;
    const letter = cell.kind === 'character' ? cell.character : '';
    const group = letter === '.' ? 'points' : /\d/.test(letter) ? 'digits' : letter ? 'letters' : `${cell.kind}s`;
    add(m, `${scene.kind}: ${group}`);
    if ((i + 1) % scene.width !== 0 && scene.cells[i + 1]) add(m, `${scene.kind}: ${group}, touching`);
    add(m, `${scene.kind}: ${group}, sum of rows`, Math.floor(i / scene.width));
    add(m, `${scene.kind}: ${group}, sum of columns`, i % scene.width);
    if (cell.kind === 'shape') {
      add(m, `shapes ${cell.shape}`);
      add(m, 'shapes big', Number(cell.big));
    }
    if (cell.kind !== 'character') add(m, `${group} ${cell.colour}`);
  }
  return m;
}

function measureLook({ width, height, data }: Picture): Metrics {
  const channels: [number[], number[], number[]] = [[], [], []];
  const steps: number[] = [];
  let sum = 0;
  // Every third row is enough for a median.
  for (let y = 0; y < height; y += 3) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 3;
      const [r, g, b] = [data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0];
      channels[0].push(r);
      channels[1].push(g);
      channels[2].push(b);
      sum += r + g + b;
      if (x === width - 1) continue;
      const apart = (k: number, value: number) => Math.abs((data[at + 3 + k] ?? 0) - value);
      steps.push((apart(0, r) + apart(1, g) + apart(2, b)) / 3);
    }
  }
  const dark = sum / (3 * channels[0].length) < 128;
  const grain = median(steps);
  return {
    dark: Number(dark),
    [dark ? 'dark background' : 'light background']: (median(channels[0]) + median(channels[1]) + median(channels[2])) / 3,
    grain,
    smooth: Number(grain < 0.5),
    coarse: Number(grain > 6),
  };
}

function median(values: number[]): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/**
 * Names of the metrics whose means are further apart than chance allows, with both means. 4.5 standard errors: one seed
 * in a thousand would fail by chance.
 */
function differing(expected: Statistics, samples: Metrics[]): string[] {
  const names = new Set([...Object.keys(expected.metrics), ...samples.flatMap(Object.keys)]);
  return [...names].flatMap((name) => {
    const [theirs, deviation] = expected.metrics[name] ?? [0, 0];
    const values = samples.map((sample) => sample[name] ?? 0);
    const ours = values.reduce((sum, v) => sum + v, 0) / values.length;
    const spread = values.reduce((sum, v) => sum + (v - ours) ** 2, 0) / values.length;
    const error = Math.sqrt(deviation ** 2 / expected.n + spread / values.length);
    return Math.abs(ours - theirs) > 4.5 * error + 1e-4 ? [`${name}: ${ours.toFixed(4)} instead of ${theirs}`] : [];
  });
}

describe('the world has the proportions of the one that the models learnt from', () => {
  it('in scenes and their questions', () => {
    const rng = new Random(99);
    expect(
      differing(
        world.scenes,
        Array.from({ length: 20_000 }, () => measureScene(makeScene(rng))),
      ),
    ).toEqual([]);
  });

  it('in text questions', () => {
    const rng = new Random(98);
    const samples = Array.from({ length: 10_000 }, () => {
      const { task, question, answer } = makeTextQuestion(rng);
      const name = task.slice('text: '.length);
      const m: Metrics = {
        [name]: 1,
        [`${name}, answer length`]: answer.length,
        [`${name}, question length`]: question.length,
      };
      if (answer === 'yes') m[`${name}, yes`] = 1;
      return m;
    });
    expect(differing(world.texts, samples)).toEqual([]);
  });

  it('in styles', () => {
    const rng = new Random(96);
    const styles = Array.from({ length: 20_000 }, () => randomStyle(rng));
    const share = (is: (style: Style) => boolean) => styles.filter(is).length / styles.length;
    const dark = ({ background }: Style) => background[0] < 128;
    expect(share(dark)).toBeCloseTo(0.12, 1.7);
    expect(share(({ mixed }) => mixed)).toBeCloseTo(0.4, 1.7);
    for (const noise of [0, 2, 5, 8]) expect(share((style) => style.noise === noise)).toBeCloseTo(0.25, 1.7);
    for (let size = 19; size <= 27; size++) expect(share((style) => style.size === size)).toBeCloseTo(1 / 9, 1.7);
    for (const font of FONT_OUTLINES.keys()) expect(share((style) => style.font === font)).toBeGreaterThan(0);
    const within = (values: readonly number[], low: number, high: number) => values.every((v) => v >= low && v <= high);
    for (const style of styles) {
      const [background, ink] = dark(style)
        ? [
            [0, 50],
            [190, 255],
          ]
        : [
            [228, 255],
            [0, 90],
          ];
      const fits = within(style.background, background[0]!, background[1]!) && within(style.ink, ink[0]!, ink[1]!);
      if (!fits || !within([style.shift.x, style.shift.y], -2, 2)) throw new Error(`out of range: ${JSON.stringify(style)}`);
    }
  });

  it('in looks', () => {
    const rng = new Random(97);
    const samples = Array.from({ length: 300 }, () => measureLook(drawScene(makeScene(rng), randomStyle(rng), rng)));
    expect(differing(world.looks, samples)).toEqual([]);
  });
});
