import * as tf from '@tensorflow/tfjs';
import type { Device } from '../../device/types.ts';
import { throwIfAborted } from '../../errors.ts';
import type { CallOptions } from '../api.ts';
import { yieldToEventLoop } from '../yield.ts';
import { readOutBlocks } from './read-out.ts';
import type { Trace } from './trace.ts';

/** Residual rows of how many numbers are kept at once, over all layers. */
const MOST_ROWS = 8 * 1024 * 1024;

export interface LensRows {
  layer: number;
  /** [visual tokens] */
  ids: Int32Array;
  p: Float32Array;
}

/** Positions of the cells that stand in the sequence. */
export function visualPositions(trace: Trace): number[] {
  return trace.input.plan.segments.flatMap(({ kind, start, end }) =>
    kind === 'visual' ? Array.from({ length: end - start }, (_, cell) => start + cell) : [],
  );
}

/**
 * The logit lens (nostalgebraist 2020) on the picture: after each layer, the vocabulary's likeliest entry in every visual token, and
 * its probability.
 */
export async function* logitLens(
  trace: Trace,
  device: Device,
  layers: readonly number[],
  { signal, onProgress }: CallOptions & { onProgress?: (done: number, total: number) => void } = {},
): AsyncGenerator<LensRows> {
  const positions = visualPositions(trace);
  const total = layers.length * positions.length;
  const atOnce = Math.max(1, Math.floor(MOST_ROWS / (positions.length * trace.model.config.llm.hiddenSize)));
  for (let from = 0; from < layers.length; from += atOnce) {
    const some = layers.slice(from, from + atOnce);
    const residual = await trace.residual(positions, some, { signal });
    try {
      for (const [place, layer] of some.entries()) {
        const rows: LensRows = { layer, ids: new Int32Array(positions.length), p: new Float32Array(positions.length) };
        const blocks = readOutBlocks(trace.model, residual.get(layer)!, (logits) => [
          tf.argMax(logits, 1),
          tf.exp(tf.sub(tf.max(logits, 1), tf.logSumExp(logits, 1))),
        ]);
        for await (const { first, count, parts } of blocks) {
          throwIfAborted(signal);
          rows.ids.set(await device.readIntegers(parts[0]!), first);
          rows.p.set(await device.read(parts[1]!), first);
          onProgress?.((from + place) * positions.length + first + count, total);
          await yieldToEventLoop();
        }
        yield rows;
      }
    } finally {
      tf.dispose([...residual.values()]);
    }
  }
}
