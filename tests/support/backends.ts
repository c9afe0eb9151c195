import * as tf from '@tensorflow/tfjs';
import { nodePlatform } from '../../src/device/node.ts';
import { openDevice } from '../../src/device/open-device.ts';
import type { BackendName, Device } from '../../src/device/types.ts';

export const allBackends: readonly BackendName[] = ['cpu', 'wasm', 'webgpu'];

/**
 * Opens one backend in Node and makes it tfjs's current one; `webgpu` is whatever adapter the machine has, a software one if
 * need be. One device is open at a time: opening the next disposes the last, with its tensors.
 */
export async function openBackend(name: BackendName): Promise<Device> {
  const device = await openDevice(name, nodePlatform());
  // Else tfjs computes small inputs on the CPU and a test of a program would test nothing.
  if (name === 'webgpu') tf.env().set('WEBGPU_CPU_FORWARD', false);
  return device;
}
