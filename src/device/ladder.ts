import { NvlmError } from '../errors.ts';
import type { GpuAdapterDescription, BackendChoice } from './types.ts';

/** What was found when WebGPU was looked for. */
export type WebGpuFinding = { adapter: GpuAdapterDescription } | { absent: string };

export interface Rung {
  backend: 'webgpu' | 'wasm' | 'cpu';
  /** Why this one: one plain sentence. */
  reason: string;
}

const softwareRenderers = /swiftshader|lavapipe|llvmpipe|softpipe|basic render|\bwarp\b/i;

/** Whether a GPU adapter computes on the CPU; some say so themselves, others only by name. */
export function isSoftwareGpuAdapter(info: Partial<GPUAdapterInfo>): boolean {
  if (info.isFallbackAdapter) return true;
  return softwareRenderers.test([info.vendor, info.architecture, info.device, info.description].join(' '));
}

/**
 * The rungs to try, best first. A software GPU adapter is 30 to 50 times slower than wasm, so it is never taken unless
 * WebGPU is asked for by name; a backend asked for by name has no rung below it.
 * @throws NvlmError `no-device` when WebGPU is asked for and there is none
 */
export function ladder(choice: BackendChoice, webgpu: WebGpuFinding): Rung[] {
  switch (choice) {
    case 'webgpu':
      if ('absent' in webgpu) throw noWebGpu(webgpu.absent);
      return [
        { backend: 'webgpu', reason: `WebGPU was asked for${webgpu.adapter.software ? '; this GPU adapter is a slow software one' : ''}.` },
      ];
    case 'wasm':
      return [{ backend: 'wasm', reason: 'WebAssembly was asked for.' }];
    case 'cpu':
      return [{ backend: 'cpu', reason: 'Plain JavaScript on the CPU was asked for.' }];
    case 'auto': {
      if ('adapter' in webgpu && !webgpu.adapter.software) {
        return [{ backend: 'webgpu', reason: 'WebGPU has a hardware GPU adapter here.' }, ...rungsBelow('WebGPU did not start')];
      }
      return rungsBelow('absent' in webgpu ? webgpu.absent : 'WebGPU here is only a software GPU adapter, which is slower');
    }
  }
}

function rungsBelow(why: string): Rung[] {
  return [
    { backend: 'wasm', reason: `${why}, so WebAssembly computes.` },
    { backend: 'cpu', reason: `${why} and WebAssembly did not start, so plain JavaScript computes (slow).` },
  ];
}

function noWebGpu(why: string): NvlmError {
  return new NvlmError('no-device', `${why}.`, 'Use the wasm backend, or a browser or machine with a GPU adapter.');
}
