import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { allBackends, openBackend } from '../../tests/support/backends.ts';
import { fromGpuError, fromThrown } from './device-errors.ts';
import { nodePlatform } from './node.ts';
import { openDevice } from './open-device.ts';
import type { Device, DevicePlatform } from './types.ts';

let open: Device | null = null;
afterEach(() => open?.dispose());

async function opened(name: (typeof allBackends)[number]): Promise<Device> {
  open = await openBackend(name);
  return open;
}

/** The GPUDevice that tfjs computes on, from behind. */
function gpuDevice(): GPUDevice {
  return (tf.backend() as unknown as { device: GPUDevice }).device;
}

/** What a custom op does: a program whose code is `main`. */
function runProgram(main: string, key: string): tf.Tensor {
  const backend = tf.backend() as unknown as {
    runWebGPUProgram(program: object, inputs: tf.TensorInfo[], dtype: tf.DataType): tf.TensorInfo;
  };
  const program = {
    variableNames: [],
    outputShape: [64],
    dispatchLayout: { x: [0] },
    dispatch: [1, 1, 1],
    workgroupSize: [64, 1, 1],
    shaderKey: key,
    size: true,
    getUserCode: () => main,
  };
  return tf.engine().makeTensorFromTensorInfo(backend.runWebGPUProgram(program, [], 'float32'));
}

const setOnes = 'fn main(index : i32) { if (index < uniforms.size) { setOutputAtIndex(index, 1.0); } }';

/** A Node without WebGPU. */
const withoutGpu: DevicePlatform = { ...nodePlatform(), gpu: async () => ({ absent: 'There is no WebGPU' }) };

describe('every backend', () => {
  test.each(allBackends)('%s computes, closes and opens again', async (name) => {
    for (let round = 0; round < 2; round++) {
      const device = await opened(name);
      expect(device.info.backend).toBe(name);
      expect(tf.getBackend()).toBe(name);
      const product = tf.matMul(tf.ones([40, 50]), tf.ones([50, 60]));
      expect(new Set(await device.read(product))).toEqual(new Set([50]));
      expect(await device.readIntegers(tf.range(0, 3, 1, 'int32'))).toEqual(Int32Array.of(0, 1, 2));
      await device.dispose();
      expect(tf.getBackend()).toBe('cpu');
      // A tensor that outlived its device is still disposable.
      product.dispose();
    }
  });

  test('opening one disposes the one before', async () => {
    await opened('wasm');
    const second = await opened('cpu');
    expect(tf.findBackend('wasm')).toBeNull();
    expect(tf.getBackend()).toBe('cpu');
    await second.check();
  });
});

describe('the ladder with real backends', () => {
  test('auto without WebGPU is wasm', async () => {
    open = await openDevice('auto', withoutGpu);
    expect(open.info).toMatchObject({ backend: 'wasm', adapter: null, reason: 'There is no WebGPU, so WebAssembly computes.' });
  });

  test('auto asks for hardware alone, so that no software driver is woken for nothing; WebGPU by name for any', async () => {
    const asked: boolean[] = [];
    const platform: DevicePlatform = {
      ...withoutGpu,
      gpu: async ({ hardwareOnly }) => (asked.push(hardwareOnly), { absent: 'There is no WebGPU' }),
    };
    open = await openDevice('auto', platform);
    await expect(openDevice('webgpu', platform)).rejects.toMatchObject({ code: 'no-device' });
    expect(asked).toEqual([true, false]);
  });

  test('auto falls to cpu when wasm does not start', async () => {
    const broken = { ...withoutGpu, prepareWasm: () => Promise.reject(new Error('no binary')) };
    open = await openDevice('auto', broken);
    expect(open.info).toMatchObject({
      backend: 'cpu',
      reason: 'There is no WebGPU and WebAssembly did not start, so plain JavaScript computes (slow). WebAssembly said: no binary.',
    });
    await expect(openDevice('wasm', broken)).rejects.toMatchObject({ code: 'no-device', message: expect.stringContaining('no binary') });
  });

  test('what tfjs itself would swallow is told', async () => {
    // Opened once, so that the factory is known; then its module does not come up.
    await (await opened('wasm')).dispose();
    const instantiate = vi.spyOn(WebAssembly, 'instantiate').mockRejectedValue(new RangeError('no room for another memory'));
    const notice = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    try {
      open = await openDevice('auto', withoutGpu);
      expect(open.info).toMatchObject({ backend: 'cpu', reason: expect.stringMatching(/WebAssembly said: .+\.$/) });
      await expect(openDevice('wasm', withoutGpu)).rejects.toMatchObject({ code: 'no-device' });
    } finally {
      instantiate.mockRestore();
      notice.mockRestore();
    }
    await (await opened('wasm')).dispose();
  });

  test('webgpu by name without WebGPU is an error', async () => {
    await expect(openDevice('webgpu', withoutGpu)).rejects.toMatchObject({ code: 'no-device', message: 'There is no WebGPU.' });
  });

  test('webgpu gets the limits and the features of the adapter', async () => {
    const device = await opened('webgpu');
    expect(device.info.adapter?.vendor).toBeTruthy();
    expect(device.info.limits['maxStorageBufferBindingSize']).toBeGreaterThan(128 * 1024 * 1024);
    expect(device.info.features).toContain('timestamp-query');
  });
});

describe('failures on WebGPU', () => {
  test('a program that does not compile throws instead of giving zeros', async () => {
    const device = await opened('webgpu');
    const bad = runProgram('fn main(index : i32) { nonsense }', 'bad');
    await expect(device.read(bad)).rejects.toMatchObject({ code: 'shader-failed', message: expect.stringContaining('nonsense') });
    // And again when the broken pipeline is met in tfjs's cache.
    await expect(device.read(runProgram('fn main(index : i32) { nonsense }', 'bad'))).rejects.toMatchObject({ code: 'shader-failed' });
    // The device itself goes on.
    expect(new Set(await device.read(runProgram(setOnes, 'good')))).toEqual(new Set([1]));
  });

  test('a tensor past the limits throws before anything is allocated', async () => {
    const device = await opened('webgpu');
    const elements = (device.info.limits['maxStorageBufferBindingSize'] ?? 0) / 4 + 1;
    expect(() => tf.fill([elements], 1)).toThrow(expect.objectContaining({ code: 'out-of-memory' }));
    await device.check();
  });

  test('memory that runs out is typed', () => {
    class GPUOutOfMemoryError extends Error {}
    expect(fromGpuError(new GPUOutOfMemoryError('no room') as GPUError)).toMatchObject({ code: 'out-of-memory' });
    expect(fromThrown(new RangeError('Array buffer allocation failed'))).toMatchObject({ code: 'out-of-memory' });
    expect(fromThrown(new WebAssembly.RuntimeError('Aborted(OOM)'))).toMatchObject({ code: 'out-of-memory' });
    const other = new TypeError('something else');
    expect(fromThrown(other)).toBe(other);
  });

  test('a lost device rejects pending and later reads, and another opens', async () => {
    const device = await opened('webgpu');
    const tensor = tf.add(runProgram(setOnes, 'before'), 1);
    const pending = device.read(tensor);
    gpuDevice().destroy();
    await expect(pending).rejects.toMatchObject({ code: 'device-lost' });
    await expect(device.lost).resolves.toMatchObject({ code: 'device-lost' });
    await expect(device.check()).rejects.toMatchObject({ code: 'device-lost' });
    await expect((async () => device.read(runProgram(setOnes, 'after')))()).rejects.toMatchObject({ code: 'device-lost' });

    const next = await opened('webgpu');
    expect(new Set(await next.read(runProgram(setOnes, 'again')))).toEqual(new Set([1]));
    tensor.dispose();
  });

  test('disposing is not a loss', async () => {
    const device = await opened('webgpu');
    const onLost = vi.fn();
    void device.lost.then(onLost);
    await device.dispose();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(onLost).not.toHaveBeenCalled();
  });
});

test('memory that wasm cannot get is an error, not an address that wrapped around', async () => {
  await opened('wasm');
  expect(() => tf.fill([2 ** 30], 1)).toThrow(expect.objectContaining({ code: 'out-of-memory' }));
});

test.each([
  ...allBackends.map((name) => [name, `'${name}'`, 'await device.dispose();']),
  ['wasm on three threads, which it leaves open,', `'wasm', { threads: 3 }`, ''],
])('a process that used %s ends by itself', async (_, given, atLast) => {
  const script = `
    const tf = await import('@tensorflow/tfjs');
    const { openBackend } = await import('./tests/support/backends.ts');
    const device = await openBackend(${given});
    console.log((await device.read(tf.add(tf.ones([2]), 1))).join());
    ${atLast}`;
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
    cwd: root,
    timeout: 20_000,
  });
  expect(stdout.trim()).toBe('2,2');
});
