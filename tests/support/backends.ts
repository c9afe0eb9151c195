import * as tf from '@tensorflow/tfjs';
import { nodePlatform } from '../../src/device/node.ts';
import { openDevice } from '../../src/device/open-device.ts';
import type { BackendName, Device } from '../../src/device/types.ts';

export const allBackends: readonly BackendName[] = ['cpu', 'wasm', 'webgpu'];

/**
 * Opens one backend in Node and makes it tfjs's current one; `webgpu` is whatever adapter the machine has, a software one if
 * need be; wasm has one thread unless a test is about more, for test files run side by side. One device is open at a time: opening the next disposes the last, with its tensors.
 */
export async function openBackend(name: BackendName, { threads = 1 } = {}): Promise<Device> {
  const device = await openDevice(name, nodePlatform({ threads }));
  // Else tfjs computes small inputs on the CPU and a test of a program would test nothing.
  if (name === 'webgpu') tf.env().set('WEBGPU_CPU_FORWARD', false);
  return device;
}
