import type { DeviceInfo } from '../engine/api.ts';

/** What browsers tell of a GPU adapter varies from a full name to nothing. */
export function gpuAdapterName(adapter: NonNullable<DeviceInfo['adapter']>): string {
  const { description, device, vendor, architecture } = adapter;
  return description || device || [vendor, architecture].filter(Boolean).join(' ') || 'not named by the browser';
}

/** `wasm`, `WebGPU · apple metal-3`: what computes, for people. */
export function backendName({ backend, adapter }: Pick<DeviceInfo, 'backend' | 'adapter'>): string {
  if (backend !== 'webgpu') return backend;
  return adapter ? `WebGPU · ${gpuAdapterName(adapter)}` : 'WebGPU';
}
