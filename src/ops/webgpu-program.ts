import * as tf from '@tensorflow/tfjs';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';

/** Name under which the device room registers the tfjs WebGPU backend. */
export const WEBGPU_BACKEND = 'webgpu';

type TfjsProgram = Parameters<WebGPUBackend['runWebGPUProgram']>[0];

/** One WGSL program, everything but its tensors and sizes; made once and kept, so that its key is found by identity. */
export interface Program {
  /** Shown in shader errors and profiles. */
  name: string;
  /** Input buffers in binding order and how many scalars one element has: `x` with 4 is `array<vec4<f32>>`. */
  inputs: { name: string; components?: 1 | 2 | 4 }[];
  /** Scalars in `uniforms.<name>`; sizes go here, so that one pipeline serves every sequence length. */
  uniforms: { name: string; type: 'u32' | 'f32' }[];
  /** Components of one element of `result`. */
  outputComponents?: 1 | 4;
  /** Element type of the result; default f32, in WGSL i32 otherwise. */
  outputType?: 'float32' | 'int32';
  /** Threads of a workgroup, a constant `THREADS` in the code. */
  threads: number;
  /** WGSL with `fn main()`; may use `groupIndex()`, `localIndex`, `uniforms`, `result` and the inputs by name. */
  code: string;
}

export interface ProgramCall {
  inputs: tf.TensorInfo[];
  uniforms: Record<string, number>;
  outputShape: number[];
  /** Number of workgroups, any count: counts beyond a dispatch dimension are folded and `main` checks its bounds. */
  groups: number;
  /** Written in place instead of a new tensor. */
  output?: tf.TensorInfo;
}

/** WebGPU guarantees this many workgroups a dimension. */
const MAX_GROUPS = 65535;

const keys = new Map<string, string>();

/**
 * Equal source ⇒ equal key and different source ⇒ different key, whatever the name: tfjs reuses a pipeline by key
 * alone.
 */
function shaderKey(program: Program): string {
  const { inputs, uniforms, outputComponents, outputType, threads, code } = program;
  const source = JSON.stringify([inputs, uniforms, outputComponents, outputType, threads, code]);
  let key = keys.get(source);
  if (!key) {
    key = `nvlm-${program.name}-${keys.size}`;
    keys.set(source, key);
  }
  return key;
}

const PRELUDE = /* wgsl */ `
  fn groupIndex() -> u32 {
    return workgroupId.y * numWorkgroups.x + workgroupId.x;
  }
`;

/** Fields of the tfjs program that stay the same from call to call. */
const prepared = new WeakMap<Program, Omit<TfjsProgram, 'dispatch' | 'outputShape'>>();

function prepare(program: Program): Omit<TfjsProgram, 'dispatch' | 'outputShape'> {
  let fields = prepared.get(program);
  if (!fields) {
    const source = `const THREADS : u32 = ${program.threads}u;\n${PRELUDE}\n${program.code}`;
    fields = {
      shaderKey: shaderKey(program),
      variableNames: program.inputs.map((input) => input.name),
      variableComponents: program.inputs.map((input) => input.components ?? 1),
      outputComponent: program.outputComponents ?? 1,
      uniforms: program.uniforms.map(({ name, type }) => `${name} : ${type},`).join(' '),
      workgroupSize: [program.threads, 1, 1],
      // Two dimensions over an output of one: tfjs then calls main() without an index.
      dispatchLayout: { x: [0], y: [1] },
      getUserCode: () => source,
    };
    prepared.set(program, fields);
  }
  return fields;
}

/**
 * Dispatches a program on the current backend, which must be the WebGPU one. Shader errors surface through the device
 * room, which watches the device's shader and pipeline creation.
 *
 * tfjs compiles shapes' ranks and accidental equalities into its key. Handing over every input as [1, n] and the output
 * as [m] makes that part constant, so the same source is compiled once.
 */
export function runProgram(program: Program, { inputs, uniforms, outputShape, groups, output }: ProgramCall): tf.TensorInfo {
  const backend = tf.backend() as WebGPUBackend;
  const size = tf.util.sizeFromShape(outputShape);
  const across = Math.ceil(groups / Math.ceil(groups / MAX_GROUPS)) || 1;
  const tfjsProgram: TfjsProgram = {
    ...prepare(program),
    dispatch: [across, Math.ceil(groups / across), 1],
    outputShape: [size],
  };
  // tfjs labels shaders with the class name of the program; errors should name the op instead.
  Object.defineProperty(tfjsProgram, 'constructor', { value: { name: program.name } });
  const info = backend.runWebGPUProgram(
    tfjsProgram,
    inputs.map(({ dataId, shape, dtype }) => ({ dataId, dtype, shape: [1, tf.util.sizeFromShape(shape)] })),
    program.outputType ?? 'float32',
    program.uniforms.map(({ name, type }) => {
      const value = uniforms[name];
      if (value === undefined) throw new RangeError(`${program.name}: uniform ${name} is missing`);
      return { type: type === 'u32' ? 'uint32' : 'float32', data: [value] };
    }),
    output && { ...output, shape: [size] },
  );
  return { dataId: info.dataId, dtype: info.dtype, shape: outputShape };
}

/** Frees a program's intermediate result, which tfjs does not track. */
export function releaseInfo(info: tf.TensorInfo): void {
  (tf.backend() as WebGPUBackend).disposeData(info.dataId);
}

/** Forgets the copy that tfjs keeps of values it has read, after the buffer was written in place. */
export function forgetHostCopy(tensor: tf.TensorInfo): void {
  const data = (tf.backend() as WebGPUBackend).tensorMap.get(tensor.dataId);
  // Its type does not say so, but null is tfjs's own mark for "only on the GPU".
  data.values = null as unknown as typeof data.values;
}

/**
 * WGSL `reduce<Name>(value: f32) -> f32` over a workgroup of side² threads, the result in every thread. Two barriers a
 * reduction: on software GPU adapters barriers cost more than arithmetic.
 */
export function workgroupReduction(name: 'Sum' | 'Max', side: 8 | 16): string {
  const combine = name === 'Sum' ? 'total + part' : 'max(total, part)';
  const fold = (array: string, from: string) => `
      var total = ${array}[${from}];
      for (var i = 1u; i < ${side}u; i++) {
        let part = ${array}[${from} + i];
        total = ${combine};
      }`;
  return /* wgsl */ `
    var<workgroup> parts${name} : array<f32, ${side * side}>;
    var<workgroup> totals${name} : array<f32, ${side}>;
    fn reduce${name}(value : f32) -> f32 {
      parts${name}[localIndex] = value;
      workgroupBarrier();
      if (localIndex < ${side}u) {${fold(`parts${name}`, `localIndex * ${side}u`)}
        totals${name}[localIndex] = total;
      }
      workgroupBarrier();
      ${fold(`totals${name}`, '0u')}
      return total;
    }
  `;
}
