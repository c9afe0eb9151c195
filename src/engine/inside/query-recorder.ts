import * as tf from '@tensorflow/tfjs';
import type { Tensor2D } from '@tensorflow/tfjs';
import type { AttentionKind, DecoderProbe } from '../../nvlm/probe.ts';

/** Keeps the queries of chosen rows, a few numbers a layer: with the cache's keys they give these rows of every layer's attention. */
export class QueryRecorder {
  /** [rows, heads · headDim] by layer */
  readonly queries: Record<AttentionKind, Map<number, Tensor2D>> = { self: new Map(), cross: new Map() };

  /** @param rows positions, all in one prefill */
  constructor(private readonly rows: readonly number[]) {}

  readonly probe: Pick<DecoderProbe, 'queries'> = {
    queries: (kind, layer, q, start) => {
      this.queries[kind].get(layer)?.dispose();
      this.queries[kind].set(layer, tf.keep(rowsOf(q, this.rows, start)));
    },
  };

  dispose(): void {
    tf.dispose([...this.queries.self.values(), ...this.queries.cross.values()]);
  }
}

/** Rows of [R, C] by position. */
export function rowsOf(x: Tensor2D, positions: readonly number[], start: number): Tensor2D {
  return tf.tidy(() =>
    tf.gather(
      x,
      tf.tensor1d(
        Int32Array.from(positions, (position) => position - start),
        'int32',
      ),
    ),
  );
}
