import type * as tf from '@tensorflow/tfjs';

import { FORMAT } from '../../device/wasm-kernels.ts';
import { runKernel } from '../wasm-kernel.ts';

/** The tensors of one call. */
interface EmbedTensors {
  ids: tf.Tensor;
  table: tf.Tensor;
  scales?: tf.Tensor;
  biases?: tf.Tensor;
  visual?: tf.Tensor;
  slots?: tf.Tensor;
}

/** Only the rows that are asked for are unpacked: see kernels/embed.ts. */
export function embedKernel(
  kind: keyof typeof FORMAT,
  width: number,
  { ids, table, scales, biases, visual, slots }: EmbedTensors,
  groupSize = 1,
): tf.TensorInfo {
  return runKernel([ids.size, width], (run, out, at) =>
    run.embed(FORMAT[kind], at(table), at(scales), at(biases), groupSize, at(ids), at(slots), at(visual), out, ids.size, width),
  );
}
