import { NvlmError } from '../../errors.ts';
import { defaultLines, LINES, sizeClass, variantName, type FewRowsOp, type Lines, type ProductShape } from '../../ops/few-rows-lines.ts';

/** The products of one size class, as they run on the open device. */
export interface Trial {
  op: FewRowsOp;
  shape: ProductShape;
  /** ms */
  time(lines: Lines): Promise<number>;
  /** Throws where the device does not take the program. */
  outputs(lines: Lines): Promise<Float32Array>;
  dispose(): void;
}

/** What is known of an adapter's variants. */
export interface VariantRecord {
  /** By size class; the default too, where nothing was faster. */
  choices: Map<string, Lines>;
  /** Names of variants that were wrong on it and are never chosen. */
  refused: Set<string>;
}

/** All timings together; a class that is begun is finished, and what is left over is measured at the next load. */
export const BUDGET_MS = 200;
/** Timings of each variant in turn, of which the least counts. */
const ROUNDS = 3;
/** From so much less time on something else than the default is taken: closer ones differ by noise. */
const CLEARLY_LESS = 0.9;
/** Of outputs, against the largest: variants differ in the order of their sums. */
const AGREES = 1e-4;

/**
 * Finds the fastest variant of each size class that has none yet, by short timings, and notes it in `record`. A variant whose outputs are
 * others than the default's, or that the device does not take, is refused there, and never timed again.
 *
 * @param trials the most important first; made one after the other, each when it is its turn
 */
export async function chooseVariants(trials: Iterable<Trial>, record: VariantRecord, now: () => number): Promise<void> {
  const end = now() + BUDGET_MS;
  for (const trial of trials) {
    try {
      if (now() < end) record.choices.set(sizeClass(trial.op, trial.shape), await fastest(trial, record.refused));
    } finally {
      trial.dispose();
    }
    if (now() >= end) return;
  }
}

async function fastest(trial: Trial, refused: Set<string>): Promise<Lines> {
  const { op, shape } = trial;
  const usual = defaultLines(op, shape);
  const expected = await trial.outputs(usual);
  const candidates: Lines[] = [];
  for (const lines of LINES) {
    const name = variantName({ op, layout: shape.layout, lines });
    if (lines === usual || refused.has(name)) continue;
    if (await agrees(trial, lines, expected)) candidates.push(lines);
    else refused.add(name);
  }
  if (candidates.length === 0) return usual;
  await trial.time(usual);
  const least = new Map<Lines, number>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const lines of [usual, ...candidates]) least.set(lines, Math.min(least.get(lines) ?? Infinity, await trial.time(lines)));
  }
  const best = candidates.reduce((a, b) => (least.get(b)! < least.get(a)! ? b : a));
  return least.get(best)! <= CLEARLY_LESS * least.get(usual)! ? best : usual;
}

async function agrees(trial: Trial, lines: Lines, expected: Float32Array): Promise<boolean> {
  let got: Float32Array;
  try {
    got = await trial.outputs(lines);
  } catch (error) {
    if (error instanceof NvlmError && error.code === 'shader-failed') return false;
    throw error;
  }
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return got.every((value, i) => Math.abs(value - expected[i]!) <= AGREES * largest);
}
