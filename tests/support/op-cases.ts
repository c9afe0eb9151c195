import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { opCases } from '../../src/ops/cases.ts';
import { seededNumbers } from '../../src/numbers/random.ts';
import type { OpCase } from '../../src/ops/op-case.ts';
import { runOpCase } from '../../src/ops/verify.ts';
import type { Device } from '../../src/device/types.ts';
import { allBackends, openBackend } from './backends.ts';

/** Declares the body's tests once for each backend, with the backend open. */
export function forEachBackend(body: (name: string, device: () => Device) => void, names = allBackends): void {
  describe.each(names)('%s', (name) => {
    let device: Device;
    beforeAll(async () => {
      device = await openBackend(name);
    });
    afterAll(() => device.dispose());
    body(name, () => device);
  });
}

/**
 * Declares, for every case of the op: equal to the reference on every backend, and gradients equal to finite
 * differences.
 */
export function testOpCases(op: string): void {
  const cases = opCases.filter((opCase) => opCase.op === op);
  expect(cases.length, `cases of ${op}`).toBeGreaterThan(0);

  const casesOn = (name: string) => cases.filter(({ onlyOn }) => !onlyOn || onlyOn === name);
  const backends = allBackends.filter((name) => casesOn(name).length > 0);
  forEachBackend((name, device) => {
    test.each(casesOn(name).map((opCase) => [opCase.case, opCase] as const))('%s', async (_, opCase) => {
      const before = tf.memory().numTensors;
      const result = await runOpCase(opCase);
      await device().check();
      expect(result).toMatchObject({ ok: true });
      expect(tf.memory().numTensors).toBe(before);
    });
  }, backends);

  const differentiable = cases.filter((opCase) => opCase.differentiable.length > 0);
  if (differentiable.length === 0) return;
  describe('finite differences', () => {
    let device: Device;
    beforeAll(async () => {
      device = await openBackend('cpu');
    });
    afterAll(() => device.dispose());
    test.each(differentiable.map((opCase) => [opCase.case, opCase] as const))('%s', (_, opCase) => {
      for (const name of opCase.differentiable) {
        const { analytic, numeric, noise } = slopes(opCase, name);
        expect(Math.abs(analytic - numeric), `${name}: ${analytic} against ${numeric}`).toBeLessThan(0.02 * Math.abs(analytic) + noise);
      }
    });
  });
}

/**
 * Slope of the weighted sum of the result along one random direction of an input: from the gradient, and by
 * differences.
 */
function slopes(opCase: OpCase, name: string): { analytic: number; numeric: number; noise: number } {
  const step = 4e-3;
  const next = seededNumbers(7);
  return tf.tidy(() => {
    const host = opCase.inputs();
    const inputs = Object.fromEntries(
      Object.entries(host).map(([key, { values, shape, dtype }]) => [key, tf.tensor(values, shape, dtype)]),
    );
    const input = inputs[name]!;
    const direction = tf.tensor(
      Float32Array.from(input.dataSync(), () => (next() < 0.5 ? -1 : 1)),
      input.shape,
    );
    const weights = Float32Array.from(opCase.run(inputs).dataSync(), () => next() * 2 - 1);
    // Summed in double precision: in single, the sum's own rounding would hide the difference.
    const value = (x: tf.Tensor) => {
      const outputs = opCase.run({ ...inputs, [name]: x }).dataSync<'float32'>();
      return outputs.reduce((sum, y, i) => sum + y * weights[i]!, 0);
    };
    const numeric = (value(input.add(direction.mul(step))) - value(input.sub(direction.mul(step)))) / (2 * step);
    const gradient = tf.grad((x) => {
      const output = opCase.run({ ...inputs, [name]: x });
      return output.mul(tf.tensor(weights, output.shape)).sum() as tf.Scalar;
    })(input);
    const analytic = gradient.mul(direction).sum().dataSync()[0]!;
    // Single precision leaves about 1e-7 of each value, divided by the step.
    return { analytic, numeric, noise: 1e-3 * Math.sqrt(weights.length) };
  });
}
