import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { forEachBackend } from '../../tests/support/op-cases.ts';
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
