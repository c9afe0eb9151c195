import * as tf from '@tensorflow/tfjs';
import { runProgram, type Program } from './webgpu-program.ts';

const program: Program = {
  name: 'pair-sides',
  inputs: [{ name: 'scales' }, { name: 'biases' }],
  uniforms: [{ name: 'count', type: 'u32' }],
  outputType: 'int32',
  threads: 64,
  code: /* wgsl */ `
    fn main() {
      let i = groupIndex() * THREADS + localIndex;
      if (i < uniforms.count) {
        result[i] = bitcast<i32>(pack2x16float(vec2<f32>(scales[i], biases[i])));
      }
    }
  `,
};

/**
 * Scales and biases of a quantised matrix as halves, a group's two in one word: half the memory, and one read where there were two. On
 * WebGPU alone.
 *
 * @param scales f32 [rows, groups] of {@link fitHalves}, as are
 * @param biases
 * @returns int32 [rows, groups], scales in the low halves
 */
export function pairSides(scales: tf.Tensor2D, biases: tf.Tensor2D): tf.Tensor2D {
  const info = runProgram(program, {
    inputs: [scales, biases],
    uniforms: { count: scales.size },
    outputShape: scales.shape,
    groups: Math.ceil(scales.size / program.threads),
  });
  return tf.engine().makeTensorFromTensorInfo(info) as tf.Tensor2D;
}

/** Exponents of the least normal half, 2⁻¹⁴, and of the largest, as f32 has them; and the bits of a fraction that a half lacks. */
const LEAST_EXPONENT = 113;
const LARGEST_EXPONENT = 142;
const LOST_FRACTION = 0x1fff;

/**
 * Whether every value is a half without loss, and none of those below the normal ones, which WGSL may take for zero.
 *
 * @param values f32, whose memory is read as bits
 */
export function fitHalves(values: Float32Array): boolean {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (const word of words) {
    const exponent = (word >>> 23) & 0xff;
    const isZero = word << 1 === 0;
    if (!isZero && (exponent < LEAST_EXPONENT || exponent > LARGEST_EXPONENT || (word & LOST_FRACTION) !== 0)) return false;
  }
  return true;
}
