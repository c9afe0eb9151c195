import * as tf from '@tensorflow/tfjs';
import type { TensorInfo } from '@tensorflow/tfjs';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';

/** A buffer that a command reads or writes, under the name that its WGSL has for it. */
export interface Binding {
  name: string;
  /** Of one element: `f32`, `u32`, `vec4<f32>` … */
  type: string;
  buffer: GPUBuffer;
  access: 'read' | 'read_write';
}

/** One dispatch of a recorded step: its code holds every size as a constant, so layers of equal shape share a pipeline. */
export interface Command {
  /** Shown in shader errors and profiles. */
  label: string;
  bindings: Binding[];
  /** Threads of a workgroup, a constant `THREADS` in the code. */
  threads: number;
  /** Number of workgroups; counts beyond a dispatch dimension are folded and the code checks its bounds. */
  groups: number;
  /** WGSL with `fn main(group : u32, thread : u32)`, both indices from 0; may use `step` and the bindings by name. */
  code: string;
}

/**
 * What changes from token to token, in one small uniform buffer that all commands share: the only thing that the host writes for a
 * step. 32 bytes, written by {@link writeStep}.
 */
const STEP_STRUCT = /* wgsl */ `
  struct Step {
    /** Of the token that is read, from 0; its keys and values go there in the cache. */
    position : u32,
    /** 0 = keep all */
    topK : u32,
    /** 0 = greedy */
    temperature : f32,
    topP : f32,
    repetitionPenalty : f32,
    /** In [0, 1) */
    random : f32,
    unused0 : u32,
    unused1 : u32,
  }
`;

export interface StepValues {
  position: number;
  topK: number;
  temperature: number;
  topP: number;
  repetitionPenalty: number;
  random: number;
}

const STEP_BYTES = 32;

/** WebGPU guarantees this many workgroups a dimension. */
const MAX_GROUPS = 65535;

interface Recorded {
  pipeline: GPUComputePipeline;
  bindGroup: GPUBindGroup;
  across: number;
  down: number;
}

/** Pipelines by source: equal layers, and the next recording of the same model, compile nothing. */
const pipelines = new WeakMap<GPUDevice, Map<string, GPUComputePipeline>>();

/**
 * Commands whose pipelines and bind groups are made once and then replayed, a token each time. tfjs prepares all of that anew at every
 * dispatch, about 0.1 ms of JavaScript; replaying one costs some microseconds.
 *
 * Owns its uniform buffer, not the buffers that are bound.
 */
export class CommandList {
  private readonly recorded: Recorded[] = [];
  private readonly uniforms: GPUBuffer;
  private readonly staged = new ArrayBuffer(STEP_BYTES);

  constructor(private readonly device: GPUDevice) {
    this.uniforms = device.createBuffer({ label: 'step', size: STEP_BYTES, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
  }

  /** Dispatches of one replay. */
  get length(): number {
    return this.recorded.length;
  }

  add(command: Command): void {
    const { bindings, groups } = command;
    const pipeline = pipelineFor(this.device, command);
    const bindGroup = this.device.createBindGroup({
      label: command.label,
      layout: pipeline.getBindGroupLayout(0),
      entries: [
        { binding: 0, resource: { buffer: this.uniforms } },
        ...bindings.map(({ buffer }, i) => ({ binding: i + 1, resource: { buffer } })),
      ],
    });
    const across = Math.ceil(groups / Math.ceil(groups / MAX_GROUPS));
    this.recorded.push({ pipeline, bindGroup, across, down: Math.ceil(groups / across) });
  }

  /** Everything recorded, in order, into a pass. WebGPU makes each dispatch see what those before it wrote. */
  replay(pass: GPUComputePassEncoder): void {
    for (const { pipeline, bindGroup, across, down } of this.recorded) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(across, down);
    }
  }

  writeStep({ position, topK, temperature, topP, repetitionPenalty, random }: StepValues): void {
    new Uint32Array(this.staged).set([position, topK]);
    new Float32Array(this.staged).set([temperature, topP, repetitionPenalty, random], 2);
    this.device.queue.writeBuffer(this.uniforms, 0, this.staged);
  }

  dispose(): void {
    this.uniforms.destroy();
    this.recorded.length = 0;
  }
}

/** Compiles what these commands need, all at once and beside this thread; what cannot be compiled is left to {@link CommandList.add}. */
export async function compileCommands(device: GPUDevice, commands: readonly Command[]): Promise<void> {
  const known = pipelinesOf(device);
  const missing = new Map(commands.map((command) => [wgslOf(command), command.label]));
  const compiled = [...missing].map(async ([source, label]) => {
    if (known.has(source)) return;
    const pipeline = await device.createComputePipelineAsync(describePipeline(device, source, label)).catch(() => null);
    if (pipeline) known.set(source, pipeline);
  });
  await Promise.all(compiled);
}

function pipelineFor(device: GPUDevice, command: Command): GPUComputePipeline {
  const known = pipelinesOf(device);
  const source = wgslOf(command);
  let pipeline = known.get(source);
  if (!pipeline) known.set(source, (pipeline = device.createComputePipeline(describePipeline(device, source, command.label))));
  return pipeline;
}

function pipelinesOf(device: GPUDevice): Map<string, GPUComputePipeline> {
  let known = pipelines.get(device);
  if (!known) pipelines.set(device, (known = new Map()));
  return known;
}

function describePipeline(device: GPUDevice, code: string, label: string): GPUComputePipelineDescriptor {
  return { label, layout: 'auto', compute: { module: device.createShaderModule({ label, code }), entryPoint: 'start' } };
}

function wgslOf({ bindings, threads, code }: Command): string {
  const declarations = bindings.map(
    ({ name, type, access }, i) => `@group(0) @binding(${i + 1}) var<storage, ${access}> ${name} : array<${type}>;`,
  );
  return /* wgsl */ `
${STEP_STRUCT}
@group(0) @binding(0) var<uniform> step : Step;
${declarations.join('\n')}
const THREADS : u32 = ${threads}u;
${code}
@compute @workgroup_size(${threads})
fn start(@builtin(local_invocation_index) thread : u32, @builtin(workgroup_id) group : vec3<u32>, @builtin(num_workgroups) groups : vec3<u32>) {
  // An automatic layout leaves out what a program does not use, and the bind groups here always hold the uniforms.
  _ = step.position;
  main(group.y * groups.x + group.x, thread);
}
`;
}

/** The buffer behind a tensor of the current WebGPU backend. */
export function bufferOf(tensor: TensorInfo): GPUBuffer {
  const backend = tf.backend() as WebGPUBackend;
  backend.uploadToGPU(tensor.dataId);
  return backend.tensorMap.get(tensor.dataId).resource as GPUBuffer;
}

/** A storage buffer of so many 32-bit values, all zero. */
export function makeBuffer(device: GPUDevice, label: string, values: number): GPUBuffer {
  return device.createBuffer({
    label,
    size: values * 4,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  });
}
