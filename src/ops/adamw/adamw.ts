import * as tf from '@tensorflow/tfjs';

import { WEBGPU_BACKEND } from '../webgpu-program.ts';
import { wasmKernels } from '../../device/wasm-kernels.ts';
import { adamWKernel } from './kernel.ts';
import { adamWPrograms } from './program.ts';
import { adamWReference } from './reference.ts';
import type { AdamWStep, AdamWTensors } from './step.ts';

/**
 * One step of AdamW (Loshchilov & Hutter 2019; PyTorch `AdamW`), in place: the variables keep their identity on every
 * backend, on WebGPU and wasm their memory too.
 *
 * @throws RangeError when shapes disagree
 */
export function adamW(tensors: AdamWTensors, gradient: tf.Tensor, step: AdamWStep): void {
  const { value, first, second } = tensors;
  for (const [name, { size }] of Object.entries({ first, second, gradient })) {
    if (size !== value.size) throw new RangeError(`adamW: ${name} has ${size} elements, value has ${value.size}`);
  }
  if (tf.getBackend() === WEBGPU_BACKEND) adamWPrograms(tensors, gradient, step);
  else if (wasmKernels()) adamWKernel(tensors, gradient, step);
  else adamWReference(tensors, gradient, step);
}
