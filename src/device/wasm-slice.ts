import * as tf from '@tensorflow/tfjs';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';

type Attributes = { begin: number | number[]; size: number | number[] };

/**
 * tfjs's own `Slice` copies the whole input out of wasm's memory first, however little is wanted of it; this one copies what is wanted
 * from where it lies.
 */
export function replaceSlice(): void {
  tf.unregisterKernel('Slice', 'wasm');
  tf.registerKernel({
    kernelName: 'Slice',
    backendName: 'wasm',
    kernelFunc: ({ inputs, attrs, backend }) => {
      const x = (inputs as { x: tf.TensorInfo }).x;
      const { begin, size } = attrs as unknown as Attributes;
      const [from, shape] = tf.slice_util.parseSliceParams(x as tf.Tensor, begin, size) as [number[], number[]];
      tf.slice_util.assertParamsValid(x as tf.Tensor, from, shape);
      return sliceOf(backend as BackendWasm, x, from, shape);
    },
  });
}

function sliceOf(backend: BackendWasm, x: tf.TensorInfo, from: number[], shape: number[]): tf.TensorInfo {
  const output = backend.makeOutput(shape, x.dtype as 'float32');
  if (tf.util.sizeFromShape(shape) === 0) return output;
  const values = backend.typedArrayFromHeap(x);
  const to = backend.typedArrayFromHeap(output);
  const strides = x.shape.map((_, axis) => tf.util.sizeFromShape(x.shape.slice(axis + 1)));
  // Axes behind the last one that is cut lie in one piece with it.
  let cut = shape.length - 1;
  while (cut >= 0 && shape[cut] === x.shape[cut]) cut--;
  const run = cut < 0 ? values.length : shape[cut]! * strides[cut]!;
  const place = from.slice(0, Math.max(cut, 0)).fill(0);
  for (let at = 0; at < to.length; at += run) {
    let start = cut < 0 ? 0 : from[cut]! * strides[cut]!;
    place.forEach((index, axis) => (start += (from[axis]! + index) * strides[axis]!));
    to.set(values.subarray(start, start + run), at);
    for (let axis = place.length - 1; axis >= 0 && ++place[axis]! === shape[axis]; axis--) place[axis] = 0;
  }
  return output;
}
