import * as tf from '@tensorflow/tfjs';
import type { Scalar, Tensor, Tensor2D, Tensor3D, Variable } from '@tensorflow/tfjs';
import type { Device } from '../device/types.ts';
import { NvlmError } from '../errors.ts';
import { hasCrossAttention } from '../nvlm/config.ts';
import { names, partOf } from '../nvlm/names.ts';
import type { NvlmModel } from '../nvlm/model.ts';
import { inOnePiece } from '../nvlm/weights.ts';
import { sharedPositions, sharePrefixes } from '../nvlm/shared-prefix.ts';
import { checkpointedLayers } from './checkpointed-layers.ts';
import { addAdapter, type AdapterModule } from '../nvlm/adapters/adapter-modules.ts';
import { freshAdapter, makeAdapterTrainable } from './lora.ts';
import { countLabels } from './labels.ts';
import { summedLoss, type LabelledPlan } from './loss.ts';
import { optimizerRules } from './optimizers/optimizers.ts';
import type { UpdateRule } from './optimizers/update-rule.ts';
import { hashText, numbersFor } from '../numbers/random.ts';
import { releasing } from './release-tape.ts';
import type { RunConfig } from './run-config.ts';
import { learningRate } from './schedule.ts';
import { makeTrainable, selectTrained, trainedInLayer, type TrainedTensor } from './trained-tensors.ts';

/** One sequence of a batch and its image, frozen part done. */
export interface TrainingSample {
  plan: LabelledPlan;
  /** From {@link Trainer.prepareImage}; null for text only. */
  image: Tensor3D | null;
}

export interface StepResult {
  /** 0-based */
  step: number;
  /** Mean cross-entropy over the batch's labelled tokens, in nats. */
  loss: number;
  /** Of the step; an optimiser may give some tensors a fixed share of it. */
  lr: number;
  /** Global, before clipping. */
  gradNorm: number;
  /** Positions computed, padding not counted. */
  tokens: number;
  /** tanh(g) of every gated cross-attention layer as the step's forward pass used it; X and H only. */
  gates?: number[];
}

/** A trained tensor with the rule that changes it and the rule's state. */
export interface OptimizedTensor extends TrainedTensor {
  rule: UpdateRule;
  /** Factor of the rule on the run's learning rate. */
  rate: number;
  state: Record<string, Variable>;
  /** Steps that it took: fewer than the run's when batches did not reach it, as in PyTorch. */
  count: number;
}

export type TrainerConfig = Pick<
  RunConfig,
  'stage' | 'trainable' | 'lora' | 'steps' | 'optimizer' | 'seed' | 'activationCheckpointing' | 'pack'
>;

/** Losses above this many times a uniform guess (or the run's first loss) count as divergence. */
const DIVERGED = 10;

/**
 * Trains a model in place: forward, backward through the tensors that the run trains and no others, clipping, the
 * optimiser.
 *
 * Owns the optimiser's state; the trained tensors stay the model's.
 */
export class Trainer {
  private firstLoss: number | null = null;
  private dropoutSeed: number[] = [];
  /** Dropout is for the steps alone, not for what is asked of the model in between. */
  private inStep = false;

  private constructor(
    private readonly model: NvlmModel,
    private readonly config: TrainerConfig,
    private readonly device: Device,
    readonly tensors: readonly OptimizedTensor[],
    /** What a LoRA run trains; null otherwise. */
    readonly adapter: readonly Pick<AdapterModule, 'module' | 'rank' | 'scale'>[] | null,
  ) {}

  /**
   * @param adapter a LoRA run's start; null = a fresh one
   * @throws NvlmError `usage` when the run does not fit the model
   */
  static async create(model: NvlmModel, config: TrainerConfig, device: Device, adapter: AdapterModule[] | null = null): Promise<Trainer> {
    const { weights } = model;
    // Known only once the trainer exists, and used only once it runs.
    const holder: { trainer: Trainer | null } = { trainer: null };
    let modules: AdapterModule[] | null = null;
    let trained: TrainedTensor[];
    if (config.lora) {
      const { dropout } = config.lora;
      modules = adapter ?? freshAdapter(weights, config.lora, config.seed);
      addAdapter(weights, modules);
      trained = makeAdapterTrainable(weights, modules, dropout > 0 ? (x, module) => holder.trainer!.drop(x, module, dropout) : null);
    } else {
      trained = await makeTrainable(weights, selectTrained(model.config, config), device);
    }
    const rules = optimizerRules(config.optimizer, trained);
    const tensors = trained.map((tensor, i): OptimizedTensor => {
      const zeros = () => tf.tidy(() => tf.variable(tf.zeros(tensor.variable.shape)));
      const { rule, rate } = rules[i]!;
      return { ...tensor, rule, rate, state: Object.fromEntries(rule.state.map((name) => [name, zeros()])), count: 0 };
    });
    holder.trainer = new Trainer(model, config, device, tensors, modules);
    return holder.trainer;
  }

  /** Numbers that the run trains. */
  get parameters(): number {
    return this.tensors.reduce((sum, { variable }) => sum + variable.size, 0);
  }

  /**
   * The part of an image's way that never changes during the run, so that it is computed once: the vision encoder, and
   * the connector too when it is frozen.
   *
   * @param pixels [tiles, 3, S, S]
   */
  prepareImage(pixels: Float32Array, tiles: number): Tensor3D {
    return this.trainsConnector ? this.model.encodeImage(pixels, tiles) : this.model.imageFeatures(pixels, tiles);
  }

  /**
   * One step of the optimiser on one or more batches, whose gradients add up to those of one large batch.
   *
   * @param between awaited before every batch: lets other messages in, and ends the step by throwing, with the weights
   *   as before
   * @throws NvlmError `not-a-number` when loss or gradient is not finite or the loss explodes; the weights are then as
   *   before
   */
  async step(
    step: number,
    batches: readonly (readonly TrainingSample[])[],
    between: () => Promise<void> = async () => {},
  ): Promise<StepResult> {
    const samples = batches.flat();
    const labelled = samples.reduce((sum, { plan }) => sum + countLabels(plan), 0);
    const gradients: (Tensor | null)[] = this.tensors.map(() => null);
    try {
      this.inStep = true;
      let loss = 0;
      for (const [index, batch] of batches.entries()) {
        await between();
        this.dropoutSeed = [step, index];
        loss += await this.backward(batch, labelled, gradients);
      }
      const { gradNorm, gates } = await this.readNorm(gradients);
      await between();
      this.refuseBadNumbers(step, loss, gradNorm);
      const lr = learningRate(step, this.config.optimizer, this.config.steps);
      this.update(gradients, lr, gradNorm);
      const tokens = batches.reduce((sum, batch) => sum + this.positionsOf(batch), 0);
      return { step, loss, lr, gradNorm, tokens, ...(gates.length > 0 && { gates }) };
    } finally {
      this.inStep = false;
      for (const gradient of gradients) gradient?.dispose();
    }
  }

  /**
   * Cross-entropy summed over the labelled tokens of a batch, without a gradient. After {@link settle}.
   *
   * @returns nats
   */
  async evaluate(batch: readonly TrainingSample[]): Promise<number> {
    const sum = tf.tidy(() => {
      return summedLoss(this.model, this.withFeatures(batch), { pack: this.config.pack });
    });
    try {
      return (await this.device.read(sum))[0]!;
    } finally {
      sum.dispose();
    }
  }

  /** What the model reads of a prepared image: it, or what a trained connector makes of it. */
  featuresOf(image: Tensor3D): Tensor3D {
    return this.trainsConnector ? this.model.connectImage(image) : image;
  }

  private positionsOf(batch: readonly TrainingSample[]): number {
    if (this.config.pack) return sharedPositions(sharePrefixes(batch.map(({ plan, image }) => ({ plan, features: image }))));
    return batch.reduce((sum, { plan }) => sum + plan.inputIds.length, 0);
  }

  /** When samples are packed, every picture's features once, however many are about it. */
  private withFeatures(batch: readonly TrainingSample[]) {
    if (!this.config.pack) return batch.map(({ plan, image }) => ({ plan, features: image && this.featuresOf(image) }));
    const features = new Map<Tensor3D, Tensor3D>();
    for (const { image } of batch) if (image && !features.has(image)) features.set(image, this.featuresOf(image));
    return batch.map(({ plan, image }) => ({ plan, features: image && features.get(image)! }));
  }

  /** Brings what is derived from trained tensors up to date, so that the model can answer: a tied head. */
  settle(): void {
    const { config, weights } = this.model;
    if (!this.trainsTiedHead) return;
    const table = inOnePiece(names.embedTokens(config), weights.embedding(names.embedTokens(config)));
    const head = inOnePiece(names.lmHead(config), weights.linear(names.lmHead(config)));
    const data = table.data.transpose<Tensor2D>();
    if (head.data !== table.data) head.data.dispose();
    weights.linears.set(`${names.lmHead(config)}.weight`, {
      kind: 'f32',
      inFeatures: table.width,
      outFeatures: table.vocab,
      data,
    });
  }

  dispose(): void {
    for (const { state } of this.tensors) tf.dispose(state);
  }

  /** Adds the batch's share of the gradients. @returns its share of the loss */
  private async backward(batch: readonly TrainingSample[], labelled: number, gradients: (Tensor | null)[]): Promise<number> {
    const { weights, config } = this.model;
    const head = `${names.lmHead(config)}.weight`;
    const heldHead = this.trainsTiedHead ? weights.linears.get(head)! : null;
    const runLayer = this.config.activationCheckpointing
      ? checkpointedLayers((index, crossAttends) => trainedInLayer(this.tensors, config, index, crossAttends))
      : undefined;
    const lossOf = (): Scalar => {
      if (heldHead) {
        const table = inOnePiece(names.embedTokens(config), weights.embedding(names.embedTokens(config)));
        weights.linears.set(head, {
          kind: 'f32',
          inFeatures: table.width,
          outFeatures: table.vocab,
          data: tf.transpose(table.data),
        });
      }
      return summedLoss(this.model, this.withFeatures(batch), { runLayer, pack: this.config.pack }).div<Scalar>(labelled);
    };
    const xs = this.tensors.map(({ variable }) => variable as Tensor);
    let result;
    try {
      result = tf.engine().gradients(releasing(lossOf), xs, undefined, true);
    } finally {
      if (heldHead) weights.linears.set(head, heldHead);
    }
    result.grads.forEach((gradient: Tensor | undefined, i) => {
      if (!gradient) return;
      const sum = gradients[i];
      gradients[i] = sum ? sum.add(gradient) : gradient;
      if (sum) tf.dispose([sum, gradient]);
    });
    try {
      return (await this.device.read(result.value))[0]!;
    } finally {
      result.value.dispose();
    }
  }

  /** The gradient's global norm and the gates, in one reading back: each is a wait for the device. */
  private async readNorm(gradients: readonly (Tensor | null)[]): Promise<{ gradNorm: number; gates: number[] }> {
    const { config, weights } = this.model;
    const gates = Array.from({ length: config.llm.layers }, (_, layer) => layer)
      .filter((layer) => hasCrossAttention(config, layer))
      .map((layer) => weights.vector(names.crossAttentionGate(config, layer)));
    const both = tf.tidy(() => {
      const squares = gradients.filter((gradient) => gradient !== null).map((gradient) => gradient.square().sum());
      return tf.concat([...gates.map((gate) => gate.tanh().reshape([1])), ...squares.map((sum) => sum.reshape([1]))]);
    });
    try {
      const values = await this.device.read(both);
      const squares = values.subarray(gates.length).reduce((sum, square) => sum + square, 0);
      return { gradNorm: Math.sqrt(squares), gates: [...values.subarray(0, gates.length)] };
    } finally {
      both.dispose();
    }
  }

  private refuseBadNumbers(step: number, loss: number, gradNorm: number): void {
    this.firstLoss ??= loss;
    const most = DIVERGED * Math.max(this.firstLoss, Math.log(this.model.config.llm.vocabSize));
    if (Number.isFinite(gradNorm) && loss <= most) return;
    const what = loss > most ? `The loss has risen to ${loss.toPrecision(3)}` : 'Loss or gradient is not a number any more';
    throw new NvlmError(
      'not-a-number',
      `${what} at step ${step}; training stopped.`,
      'Lower the learning rate or lengthen the warm-up, then resume from the last checkpoint.',
    );
  }

  private update(gradients: readonly (Tensor | null)[], lr: number, gradNorm: number): void {
    const { weightDecay, clip } = this.config.optimizer;
    // 1e-6 as in PyTorch's clip_grad_norm_.
    const gradientScale = clip === null ? 1 : Math.min(1, clip / (gradNorm + 1e-6));
    this.tensors.forEach((tensor, i) => {
      const gradient = gradients[i];
      if (!gradient) return;
      tensor.count++;
      tensor.rule.update(tensor, gradient, {
        learningRate: lr * tensor.rate,
        // Gates, norms and biases do not decay.
        weightDecay: tensor.shape.length >= 2 ? weightDecay : 0,
        count: tensor.count,
        gradientScale,
      });
    });
  }

  /** The same mask for the same step, batch and module: on resuming, and when a checkpointed layer runs again. */
  private drop(x: Tensor2D, module: string, rate: number): Tensor2D {
    if (!this.inStep) return x;
    const seed = numbersFor(this.config.seed, hashText(module), ...this.dropoutSeed)();
    return tf.dropout(x, rate, undefined, String(seed)) as Tensor2D;
  }

  private get trainsConnector(): boolean {
    return this.tensors.some(({ module }) => partOf(module) === 'connector');
  }

  private get trainsTiedHead(): boolean {
    const { llm } = this.model.config;
    const table = names.embedTokens(this.model.config);
    return llm.tieWordEmbeddings && this.tensors.some(({ name }) => name === table);
  }
}
