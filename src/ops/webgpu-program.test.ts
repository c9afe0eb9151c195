import * as tf from '@tensorflow/tfjs';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { expect, test, vi } from 'vitest';
import { forEachBackend } from '../../tests/support/op-cases.ts';
import { compileAhead } from '../device/compile-ahead.ts';
import { type Program, runProgram } from './webgpu-program.ts';

const constant = (name: string, value: string): Program => ({
  name,
  inputs: [{ name: 'x' }],
  uniforms: [{ name: 'count', type: 'u32' }],
  threads: 64,
  code: `fn main() { if (localIndex < uniforms.count) { result[localIndex] = x[localIndex] + ${value}; } }`,
});

function run(program: Program): tf.Tensor {
  return tf.tidy(() => {
    const info = runProgram(program, { inputs: [tf.ones([3])], uniforms: { count: 3 }, outputShape: [3], groups: 1 });
    return tf.engine().makeTensorFromTensorInfo(info);
  });
}

/** Counts from now on the pipelines that are made where everybody waits for them. */
function pipelinesMade(): () => number {
  const { device } = tf.backend() as WebGPUBackend;
  const create = vi.spyOn(device, 'createComputePipeline');
  return () => create.mock.calls.length;
}

forEachBackend(
  (_, device) => {
    test('programs of the same name and different code do not share a pipeline', async () => {
      const results = [run(constant('same', '1.0')), run(constant('same', '2.0'))];
      expect([...(await device().read(results[0]!))]).toEqual([2, 2, 2]);
      expect([...(await device().read(results[1]!))]).toEqual([3, 3, 3]);
      tf.dispose(results);
    });

    test('bad WGSL is an error that names the program, not zeros', async () => {
      const result = run(constant('broken-op', 'nonsense'));
      await expect(device().read(result)).rejects.toMatchObject({
        code: 'shader-failed',
        message: expect.stringContaining('broken-op'),
      });
      result.dispose();
    });

    test('a program that was compiled ahead has not run, and runs without being compiled again', async () => {
      const program = constant('ahead', '3.0');
      const pipelines = pipelinesMade();
      const results: tf.Tensor[] = [];
      const compiled = compileAhead(() => results.push(run(program)));
      results.push(run(program)); // who cannot wait compiles it himself
      await compiled;
      results.push(run(program));
      expect(pipelines()).toBe(1);
      const [ahead, ...rest] = await Promise.all(results.map(async (result) => [...(await device().read(result))]));
      expect(ahead).not.toContain(4); // whatever its buffer held before
      expect(rest).toEqual([
        [4, 4, 4],
        [4, 4, 4],
      ]);
      tf.dispose(results);
    });

    test('what cannot be compiled ahead is said as if it were run, and later programs run', async () => {
      await compileAhead(() => void run(constant('broken-ahead', 'nothing')).dispose());
      await expect(device().check()).rejects.toMatchObject({ code: 'shader-failed', message: expect.stringContaining('broken-ahead') });
      const thrown = compileAhead(() => {
        throw new RangeError('no such layer');
      });
      await expect(thrown).rejects.toThrow('no such layer');
      const result = run(constant('after-it', '1.0'));
      expect([...(await device().read(result))]).toEqual([2, 2, 2]);
      result.dispose();
    });

    test('a missing uniform is an error', () => {
      const program = constant('complete', '1.0');
      tf.tidy(() => {
        const call = { inputs: [tf.ones([3])], uniforms: {}, outputShape: [3], groups: 1 };
        expect(() => runProgram(program, call)).toThrow('uniform count is missing');
      });
    });
  },
  ['webgpu'],
);
