import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { forEachBackend } from '../../tests/support/op-cases.ts';
import { opCases } from './cases.ts';
import { runOpCase, runOpCases } from './verify.ts';

forEachBackend(
  (name) => {
    test('reports one result a case and leaves the backend and its memory as they were', async () => {
      const before = tf.memory().numTensors;
      const results = await runOpCases(['gelu', 'rope']);
      expect(results.map(({ op }) => op)).toEqual(['rope', 'rope', 'rope', 'gelu', 'gelu', 'gelu']);
      expect(results.every(({ ok }) => ok)).toBe(true);
      expect(tf.getBackend()).toBe(name);
      expect(tf.memory().numTensors).toBe(before);
    });

    test('sees wrong values, wrong gradients and NaN', async () => {
      const good = opCases.find(({ op }) => op === 'gelu')!;
      const wrong = await runOpCase({ ...good, run: (inputs) => good.run(inputs).add(1e-3) });
      expect(wrong).toMatchObject({ ok: false });
      expect(wrong.gradientError).toBeLessThan(good.bound);
      const detached = await runOpCase({ ...good, run: (inputs) => good.run(inputs).add(inputs['x']!.mul(1e-2)) });
      expect(detached.gradientError).toBeGreaterThan(good.bound);
      const notANumber = await runOpCase({ ...good, run: (inputs) => good.run(inputs).mul(NaN) });
      expect(notANumber).toMatchObject({ ok: false, forwardError: Infinity });
    });
  },
  ['wasm'],
);
