import * as tf from '@tensorflow/tfjs';

import { unpackHalves } from '../../numbers/half.ts';

/** Row r is visual[slots[r]] where slots[r] ≥ 0, else table[ids[r]]; [R, C]. */
export function embedReference(
  ids: tf.Tensor1D,
  table: tf.Tensor2D,
  visual: tf.Tensor2D | undefined,
  slots: tf.Tensor1D | undefined,
): tf.Tensor2D {
  const rows = ids.shape[0];
  const text = tf.gather(table, ids);
  if (!visual || !slots) return text;
  const zero = tf.scalar(0, 'int32');
  const isVisual = tf.reshape(tf.cast(tf.greaterEqual(slots, zero), 'float32'), [rows, 1]);
  const image = tf.gather(visual, tf.maximum(slots, zero) as tf.Tensor1D);
  return tf.add(tf.mul(image, isVisual), tf.mul(text, tf.sub(1, isVisual)));
}

/** The f32 table [vocab, width] of packed halves. Reads the tensor synchronously: wasm and cpu backends. */
export function unpackTable(packed: tf.Tensor2D, width: number): tf.Tensor2D {
  const vocab = packed.shape[0];
  return tf.tensor2d(unpackHalves(packed.dataSync(), vocab, width), [vocab, width]);
}

/**
 * out[targets[r]] += dy[r] for targets ≥ 0, from zeros [count, C]: the gradient of a gather. On the host, since the
 * wasm backend has no segment sum and its tensors lie in host memory anyway; adding in row order keeps it
 * deterministic.
 */
export function scatterAddReference(dy: tf.Tensor2D, targets: tf.Tensor1D, count: number): tf.Tensor2D {
  const width = dy.shape[1];
  const from = dy.dataSync();
  const to = new Float32Array(count * width);
  targets.dataSync().forEach((target, r) => {
    if (target < 0) return;
    for (let c = 0; c < width; c++) to[target * width + c]! += from[r * width + c]!;
  });
  return tf.tensor2d(to, [count, width]);
}
