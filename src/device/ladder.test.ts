import { describe, expect, test } from 'vitest';
import { NvlmError } from '../errors.ts';
import { isSoftwareGpuAdapter, ladder } from './ladder.ts';
import type { GpuAdapterDescription } from './types.ts';

const adapter = (software: boolean): { adapter: GpuAdapterDescription } => ({
  adapter: { vendor: 'v', architecture: 'a', device: 'd', description: 't', software },
});
const absent = { absent: 'This browser has no WebGPU' };
const backends = (rungs: { backend: string }[]) => rungs.map((rung) => rung.backend);

describe('the ladder', () => {
  test('starts at WebGPU on a hardware GPU adapter and ends at cpu', () => {
    expect(backends(ladder('auto', adapter(false)))).toEqual(['webgpu', 'wasm', 'cpu']);
  });

  test('passes over a software GPU adapter and says so', () => {
    const rungs = ladder('auto', adapter(true));
    expect(backends(rungs)).toEqual(['wasm', 'cpu']);
    expect(rungs[0]?.reason).toContain('only a software GPU adapter');
  });

  test('starts at wasm without WebGPU and says why', () => {
    const rungs = ladder('auto', absent);
    expect(backends(rungs)).toEqual(['wasm', 'cpu']);
    expect(rungs[0]?.reason).toBe('This browser has no WebGPU, so WebAssembly computes.');
  });

  test('takes a software GPU adapter when WebGPU is asked for by name, and nothing below it', () => {
    const rungs = ladder('webgpu', adapter(true));
    expect(backends(rungs)).toEqual(['webgpu']);
    expect(rungs[0]?.reason).toContain('slow software');
    expect(ladder('webgpu', adapter(false))[0]?.reason).not.toContain('software');
  });

  test('has only the named rung for wasm and cpu', () => {
    expect(backends(ladder('wasm', adapter(false)))).toEqual(['wasm']);
    expect(backends(ladder('cpu', adapter(false)))).toEqual(['cpu']);
  });

  test('refuses WebGPU by name where there is none', () => {
    expect(() => ladder('webgpu', absent)).toThrow(NvlmError);
    expect(() => ladder('webgpu', absent)).toThrow('This browser has no WebGPU.');
  });
});

test.each([
  [{ vendor: 'google', architecture: 'swiftshader' }, true],
  [{ isFallbackAdapter: true }, true],
  [{ vendor: 'mesa', description: 'llvmpipe (LLVM 15.0.6, 256 bits)' }, true],
  [{ description: 'Microsoft Basic Render Driver' }, true],
  [{ vendor: 'nvidia', architecture: 'hopper', description: 'NVIDIA H200' }, false],
  [{ vendor: 'apple', architecture: 'metal-3' }, false],
])('%o computes on the CPU: %s', (info, software) => {
  expect(isSoftwareGpuAdapter(info)).toBe(software);
});
