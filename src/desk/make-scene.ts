import { randomChart } from './chart.ts';
import { randomNote } from './note.ts';
import type { Random } from './random.ts';
import { randomReceipt } from './receipt.ts';
import type { Scene, SceneKind } from './scene.ts';
import { randomShapes } from './shapes.ts';
import { GRIDS } from './vocabulary.ts';
import type { Grid } from './vocabulary.ts';

const MAKERS: Record<SceneKind, (rng: Random, grid: Grid) => Scene> = {
  note: randomNote,
  receipt: randomReceipt,
  shapes: randomShapes,
  chart: randomChart,
};

/** How often each kind is drawn. */
const KINDS = ['note', 'receipt', 'shapes', 'chart'] as const;
const SHARES = [0.32, 0.2, 0.24, 0.24];

export interface SceneChoice {
  kind?: SceneKind;
  grid?: Grid;
}

/** A random scene; what `choice` leaves open is drawn (kinds by their shares, grids evenly). */
export function makeScene(rng: Random, choice: SceneChoice = {}): Scene {
  const kind = choice.kind ?? rng.weighted(KINDS, SHARES);
  return MAKERS[kind](rng, choice.grid ?? rng.choice(GRIDS));
}
