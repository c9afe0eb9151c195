import * as tf from '@tensorflow/tfjs';

import { opCases } from './cases.ts';
import { variantName, withLines } from './few-rows-lines.ts';
import { floats, type HostTensor, type OpCase } from './op-case.ts';

export interface OpCaseResult {
  op: string;
  case: string;
  /** Name of the variant beside the default that this is a case of; where it is not right, a device does without it. */
  variant: string | null;
  /** Largest difference from the reference over the largest expected magnitude, at least 1; infinite for NaN. */
  forwardError: number;
  /** The same over all gradients; null for ops without one. */
  gradientError: number | null;
  bound: number;
  ok: boolean;
}

export interface Values {
  output: Float32Array;
  gradients: Float32Array[];
}

/**
 * Runs every op case on the current backend, forward and gradient, and compares it with the reference differentiated by
 * tfjs on the cpu backend. The current backend is the same before and after; nothing stays allocated.
 *
 * @param ops names of ops to run, default all
 */
export async function runOpCases(ops?: string[]): Promise<OpCaseResult[]> {
  const results: OpCaseResult[] = [];
  for (const opCase of casesHere(ops)) results.push(await runOpCase(opCase));
  return results;
}

/** The cases of these ops, default all, that the current backend has programs for. */
export function casesHere(ops?: readonly string[]): OpCase[] {
  return opCases.filter(({ op, onlyOn }) => (!onlyOn || onlyOn === tf.getBackend()) && (!ops || ops.includes(op)));
}

/** One case of {@link runOpCases}. */
export async function runOpCase(opCase: OpCase): Promise<OpCaseResult> {
  const backend = tf.getBackend();
  const got = await evaluate(opCase, (inputs) => withLines(opCase.variant?.lines ?? 'default', () => opCase.run(inputs)));
  let expected: Values;
  try {
    await tf.setBackend('cpu');
    expected = await evaluate(opCase, opCase.reference);
  } finally {
    await tf.setBackend(backend);
  }
  const forwardError = relativeError(got.output, expected.output);
  const errors = got.gradients.map((gradient, i) => relativeError(gradient, expected.gradients[i]!));
  const gradientError = errors.length > 0 ? Math.max(...errors) : null;
  const { op, case: name, variant, bound } = opCase;
  return {
    op,
    case: name,
    variant: variant ? variantName(variant) : null,
    forwardError,
    gradientError,
    bound,
    ok: Math.max(forwardError, gradientError ?? 0) <= bound,
  };
}

/** Result, and gradients of its sum under fixed uneven weights, so that rows and columns do not cancel. */
export async function evaluate(opCase: OpCase, compute: OpCase['run']): Promise<Values> {
  const inputs = Object.fromEntries(Object.entries(opCase.inputs()).map(([name, host]) => [name, toTensor(host)]));
  const output = tf.tidy(() => compute(inputs));
  const gradients = tf.tidy(() => {
    if (opCase.differentiable.length === 0) return [];
    const weights = toTensor(floats(output.shape, 99));
    const weightedSum = (...given: tf.Tensor[]) => {
      const named = Object.fromEntries(opCase.differentiable.map((name, i) => [name, given[i]!]));
      return tf.sum(tf.mul(compute({ ...inputs, ...named }), weights)) as tf.Scalar;
    };
    return tf.grads(weightedSum)(opCase.differentiable.map((name) => inputs[name]!));
  });
  const values = {
    output: Float32Array.from(await output.data()),
    gradients: await Promise.all(gradients.map(async (gradient) => Float32Array.from(await gradient.data()))),
  };
  tf.dispose([output, gradients, inputs]);
  return values;
}

function toTensor({ values, shape, dtype }: HostTensor): tf.Tensor {
  return tf.tensor(values, shape, dtype);
}

function relativeError(got: Float32Array, expected: Float32Array): number {
  if (got.length !== expected.length) return Infinity;
  let worst = 0;
  let scale = 1;
  for (let i = 0; i < got.length; i++) {
    const difference = Math.abs(got[i]! - expected[i]!);
    if (!(difference <= worst)) worst = Number.isFinite(difference) ? difference : Infinity;
    scale = Math.max(scale, Math.abs(expected[i]!));
  }
  return worst / scale;
}
