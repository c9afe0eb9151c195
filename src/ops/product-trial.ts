import * as tf from '@tensorflow/tfjs';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { compileAhead } from '../device/compile-ahead.ts';
import { submitPending } from '../device/tensor-memory.ts';
import type { Device } from '../device/types.ts';
import { withLines, type FewRowsOp, type Lines, type ProductShape } from './few-rows-lines.ts';
import { FEW_ROWS } from './linear/few-rows-program.ts';
import { linear } from './linear/linear.ts';
import { bufferOf, CommandList, compileCommands, type Command } from './recorded/command-list.ts';
import { productCommand, swigluCommand } from './recorded/product.ts';
import type { PlainWeight } from './types.ts';
import { forgetHostCopy } from './webgpu-program.ts';

/** Products of equal sizes that one token takes: the weights of each, in the order of the layers. */
export interface StepProducts {
  op: FewRowsOp;
  shape: ProductShape;
  /** RMSNorm is part of them. */
  normed: boolean;
  instances: PlainWeight[][];
}

/** So long a timing takes at least, repeated until then: clocks of browsers tick a tenth of a millisecond. */
const LEAST_MS = 2;
const MOST_REPEATS = 64;

/**
 * The products of one token that are alike, on the open WebGPU device, to be timed and compared in every variant. All layers' weights are
 * read in turn, as a token reads them, for those of one would stay in a cache.
 */
export class ProductTrial {
  private readonly backend = tf.backend() as WebGPUBackend;
  private readonly x: tf.Tensor2D;
  private readonly ones: tf.Tensor1D;
  private readonly result: tf.Tensor1D;
  private readonly lists = new Map<Lines, CommandList>();
  private readonly stamps: TimeStamps | null;
  private repeats: number | null = null;
  readonly op: FewRowsOp;
  readonly shape: ProductShape;

  constructor(
    private readonly products: StepProducts,
    private readonly device: Pick<Device, 'read' | 'settle'>,
  ) {
    const { op, shape } = products;
    [this.op, this.shape] = [op, shape];
    const rows = op === 'linear' ? FEW_ROWS : 1;
    this.x = tf.randomUniform([rows, shape.inFeatures], -1, 1, 'float32', 1);
    this.ones = tf.ones([shape.inFeatures]);
    this.result = tf.zeros([shape.outFeatures]);
    const gpu = this.backend.device;
    this.stamps = op !== 'linear' && gpu.features.has('timestamp-query') ? new TimeStamps(gpu) : null;
  }

  /** Milliseconds of all layers' products once. The first call warms up and finds how often later ones repeat them. */
  async time(lines: Lines): Promise<number> {
    const ms = await this.timeRepeats(lines, this.repeats ?? 1);
    this.repeats ??= Math.min(MOST_REPEATS, Math.ceil(LEAST_MS / Math.max(ms, LEAST_MS / MOST_REPEATS)));
    return ms;
  }

  /**
   * What the last layer's product puts out.
   *
   * @throws NvlmError `shader-failed` where the device does not take the program, and as `Device.check`
   */
  async outputs(lines: Lines): Promise<Float32Array> {
    if (this.op !== 'linear') {
      const list = await this.listOf(lines);
      // Nothing of the variant before may pass for this one's.
      this.submit((encoder) => encoder.clearBuffer(bufferOf(this.result)));
      this.submit((encoder) => replay(list, encoder.beginComputePass(), 1));
      forgetHostCopy(this.result);
      return this.device.read(this.result);
    }
    const product = () => withLines(lines, () => linear(this.x, this.products.instances.at(-1)![0]!, null));
    await compileAhead(() => product().dispose());
    const y = product();
    try {
      return await this.device.read(y);
    } finally {
      y.dispose();
    }
  }

  dispose(): void {
    for (const list of this.lists.values()) list.dispose();
    this.stamps?.dispose();
    tf.dispose([this.x, this.ones, this.result]);
  }

  private async timeRepeats(lines: Lines, repeats: number): Promise<number> {
    const { stamps } = this;
    if (stamps) {
      const list = await this.listOf(lines);
      this.submit((encoder) => {
        replay(list, encoder.beginComputePass({ timestampWrites: stamps.writes }), repeats);
        stamps.resolve(encoder);
      });
      return (await this.device.settle(stamps.elapsedMs())) / repeats;
    }
    const list = this.op === 'linear' ? null : await this.listOf(lines);
    const start = performance.now();
    if (list) this.submit((encoder) => replay(list, encoder.beginComputePass(), repeats));
    else withLines(lines, () => this.runOrdinary(repeats));
    await this.device.settle(this.backend.queue.onSubmittedWorkDone());
    return (performance.now() - start) / repeats;
  }

  private runOrdinary(repeats: number): void {
    for (let n = 0; n < repeats; n++) {
      for (const [weight] of this.products.instances) linear(this.x, weight!, null).dispose();
    }
    submitPending(this.backend);
  }

  private submit(encode: (encoder: GPUCommandEncoder) => void): void {
    submitPending(this.backend);
    const { device } = this.backend;
    const encoder = device.createCommandEncoder();
    encode(encoder);
    device.queue.submit([encoder.finish()]);
  }

  /** Compiled beside this thread, which would stand still otherwise. */
  private async listOf(lines: Lines): Promise<CommandList> {
    let list = this.lists.get(lines);
    if (!list) {
      const commands = withLines(lines, () => this.products.instances.map((weights) => this.command(weights)));
      await compileCommands(this.backend.device, commands);
      list = new CommandList(this.backend.device);
      for (const command of commands) list.add(command);
      this.lists.set(lines, list);
    }
    return list;
  }

  private command(weights: readonly PlainWeight[]): Command {
    const input = { row: bufferOf(this.x), norm: this.products.normed ? { weight: this.ones, eps: 1e-6 } : null };
    const factors = weights.map((weight) => ({ weight, bias: null }));
    const result = bufferOf(this.result);
    if (this.op === 'recordedSwiglu') return swigluCommand('trial', input, factors[0]!, factors[1]!, result);
    return productCommand('trial', input, factors, result);
  }
}

function replay(list: CommandList, pass: GPUComputePassEncoder, repeats: number): void {
  for (let n = 0; n < repeats; n++) list.replay(pass);
  pass.end();
}

/** When a pass began and ended, by the device's own clock. */
class TimeStamps {
  readonly writes: GPUComputePassTimestampWrites;
  private readonly querySet: GPUQuerySet;
  private readonly resolved: GPUBuffer;
  private readonly readBack: GPUBuffer;

  constructor(device: GPUDevice) {
    this.querySet = device.createQuerySet({ type: 'timestamp', count: 2 });
    this.writes = { querySet: this.querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
    this.resolved = device.createBuffer({ size: 16, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
    this.readBack = device.createBuffer({ size: 16, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  }

  resolve(encoder: GPUCommandEncoder): void {
    encoder.resolveQuerySet(this.querySet, 0, 2, this.resolved, 0);
    encoder.copyBufferToBuffer(this.resolved, 0, this.readBack, 0, 16);
  }

  async elapsedMs(): Promise<number> {
    await this.readBack.mapAsync(GPUMapMode.READ);
    const [start, end] = new BigInt64Array(this.readBack.getMappedRange());
    this.readBack.unmap();
    return Number(end! - start!) / 1e6;
  }

  dispose(): void {
    this.querySet.destroy();
    this.resolved.destroy();
    this.readBack.destroy();
  }
}
