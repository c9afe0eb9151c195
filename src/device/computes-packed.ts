import type { DeviceInfo } from './types.ts';

/**
 * Whether the device computes with packed weights as they are, and attends without whole matrices of scores: by the project's WGSL
 * programs, or by its wasm kernels, which need SIMD.
 */
export function computesPacked({ backend, features }: Pick<DeviceInfo, 'backend' | 'features'>): boolean {
  return backend === 'webgpu' || (backend === 'wasm' && features.includes('simd'));
}
