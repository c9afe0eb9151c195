import * as tf from '@tensorflow/tfjs';

import { wasmKernels } from '../device/wasm-kernels.ts';
import { WEBGPU_BACKEND } from './webgpu-program.ts';

/** Tensors of one call by name; optional ones may be absent. */
export type OpInputs = Record<string, tf.Tensor | undefined>;

/** Gradient of each input, computed when called: tfjs never asks for the gradient of a frozen input. */
export type LazyGradients<I extends OpInputs> = { [K in keyof I]?: () => tf.Tensor };

export interface OpDefinition<I extends OpInputs, A extends object> {
  /** Kernel name in the tfjs registry, e.g. `NvlmRmsNorm`. */
  name: string;
  required: (keyof I & string)[];
  optional?: (keyof I & string)[];
  /** Stock tfjs ops: computes on cpu, and on wasm where there is no kernel, and is what program and kernel are tested against. */
  reference: (inputs: I, attrs: A) => tf.Tensor;
  /** Runs the op's WGSL programs on the WebGPU backend; absent: the reference computes there too. */
  program?: (inputs: I, attrs: A) => tf.TensorInfo;
  /** Runs the op's kernel on the wasm backend, where there are kernels (device/wasm-kernels.ts). */
  kernel?: (inputs: I, attrs: A) => tf.TensorInfo;
  gradient?: {
    /** Inputs that the gradient reads; kept alive from the forward pass. */
    save: (keyof I & string)[];
    /** Also keep the op's result. */
    saveOutput?: boolean;
    of: (dy: tf.Tensor, saved: I, attrs: A, output: tf.Tensor | undefined) => LazyGradients<I>;
  };
}

/**
 * Registers an op as a tfjs kernel on every backend of the ladder, with its gradient, and returns the function that
 * runs it.
 *
 * A registered kernel is used rather than `tf.customGrad` because customGrad computes the gradients of all inputs at
 * once, while registered gradients are functions that tfjs calls only for inputs that lead to a trained variable: a
 * frozen weight costs nothing. tfjs saves inputs by a fixed list of names, so each combination of optional inputs is a
 * kernel of its own.
 */
export function defineOp<I extends OpInputs, A extends object>(op: OpDefinition<I, A>): (inputs: I, attrs: A) => tf.Tensor {
  const optional = op.optional ?? [];
  const names: string[] = [];

  for (let variant = 0; variant < 1 << optional.length; variant++) {
    const present = optional.filter((_, i) => variant & (1 << i));
    const name = [op.name, ...present].join('+');
    names.push(name);
    const { reference, kernel, program } = op;
    const register = (backendName: string, compute: (inputs: I, attrs: A) => tf.TensorInfo) =>
      tf.registerKernel({
        kernelName: name,
        backendName,
        kernelFunc: ({ inputs, attrs }) => compute(inputs as I, attrs as unknown as A),
      });
    const byReference = (inputs: I, attrs: A) => tf.tidy(() => reference(inputs, attrs));
    register('cpu', byReference);
    register('wasm', kernel ? (inputs, attrs) => (wasmKernels() ? kernel : byReference)(inputs, attrs) : byReference);
    register(WEBGPU_BACKEND, program ?? byReference);
    const gradient = op.gradient;
    if (!gradient) continue;
    const given = new Set<string>([...op.required, ...present]);
    const inputsToSave = gradient.save.filter((input) => given.has(input));
    tf.registerGradient({
      kernelName: name,
      inputsToSave,
      outputsToSave: [gradient.saveOutput ?? false],
      gradFunc: (dy, saved, attrs) => {
        const byName = Object.fromEntries(inputsToSave.map((input, i) => [input, saved[i]])) as I;
        const output = saved[inputsToSave.length];
        return gradient.of(dy as tf.Tensor, byName, attrs as unknown as A, output) as Record<string, () => tf.Tensor>;
      },
    });
  }

  // Called twenty times a layer and token: nothing is built here but what tfjs takes.
  return (inputs, attrs) => {
    const given: tf.NamedTensorMap = {};
    for (const name of op.required) given[name] = inputs[name]!;
    let variant = 0;
    for (let i = 0; i < optional.length; i++) {
      const input = inputs[optional[i]!];
      if (input === undefined) continue;
      given[optional[i]!] = input;
      variant |= 1 << i;
    }
    return tf.engine().runKernel(names[variant]!, given, attrs as unknown as tf.NamedAttrMap);
  };
}

/** Throws unless the tensor has this shape; `null` leaves a dimension free. */
export function checkShape(op: string, name: string, tensor: { shape: number[] }, shape: (number | null)[]): void {
  let fits = tensor.shape.length === shape.length;
  for (let i = 0; i < shape.length; i++) if (shape[i] !== null && shape[i] !== tensor.shape[i]) fits = false;
  if (!fits) throw new RangeError(`${op}: ${name} is [${tensor.shape}], expected [${shape.map((n) => n ?? '*')}]`);
}
