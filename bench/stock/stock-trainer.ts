import * as tf from '@tensorflow/tfjs';
import type { Scalar, Tensor, Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import type { Device } from '../../src/device/types.ts';
import type { NvlmModel } from '../../src/nvlm/model.ts';
import { names } from '../../src/nvlm/names.ts';
import { inOnePiece } from '../../src/nvlm/weights.ts';
import { countLabels } from '../../src/training/labels.ts';
import { summedLoss } from '../../src/training/loss.ts';
import type { RunConfig } from '../../src/training/run-config.ts';
import { makeTrainable, selectTrained, type TrainedTensor } from '../../src/training/trained-tensors.ts';
import type { TrainingSample } from '../../src/training/trainer.ts';
import { withStockOps } from './stock-ops.ts';

/** The trainer that stock tfjs offers: the same model and frozen parts, tfjs's gradients, tf.train.adam. */
export class StockTrainer {
  private readonly adam: tf.AdamOptimizer;

  private constructor(
    private readonly model: NvlmModel,
    private readonly config: RunConfig,
    private readonly device: Device,
    private readonly trained: TrainedTensor[],
  ) {
    const { lr, betas, eps } = config.optimizer;
    this.adam = tf.train.adam(lr, betas[0], betas[1], eps);
  }

  static async create(model: NvlmModel, config: RunConfig, device: Device): Promise<StockTrainer> {
    const trained = await makeTrainable(model.weights, selectTrained(model.config, config), device);
    return new StockTrainer(model, config, device, trained);
  }

  prepareImage(pixels: Float32Array, tiles: number): Tensor3D {
    return this.model.encodeImage(pixels, tiles);
  }

  async step(batch: readonly TrainingSample[]): Promise<{ loss: number; gradNorm: number }> {
    const labelled = batch.reduce((sum, { plan }) => sum + countLabels(plan), 0);
    const { value, grads } = withStockOps(() => {
      const lossOf = () => this.loss(batch).div<Scalar>(labelled);
      return tf.variableGrads(
        lossOf,
        this.trained.map(({ variable }) => variable),
      );
    });
    const squares = tf.tidy(() => tf.addN(Object.values(grads).map((gradient) => tf.sum(tf.square(gradient)))));
    const loss = (await this.device.read(value))[0]!;
    const gradNorm = Math.sqrt((await this.device.read(squares))[0]!);
    tf.dispose([value, squares]);
    const { clip, weightDecay, lr } = this.config.optimizer;
    const scale = clip === null ? 1 : Math.min(1, clip / (gradNorm + 1e-6));
    const clipped = tf.tidy(() => Object.fromEntries(Object.entries(grads).map(([k, g]) => [k, tf.mul(g, scale)])));
    tf.dispose(grads);
    tf.tidy(() => {
      for (const { variable, shape } of this.trained) {
        if (shape.length >= 2) variable.assign(tf.mul(variable, 1 - lr * weightDecay));
      }
    });
    this.adam.applyGradients(clipped as Parameters<tf.AdamOptimizer['applyGradients']>[0]);
    tf.dispose(clipped);
    return { loss, gradNorm };
  }

  dispose(): void {
    this.adam.dispose();
  }

  private loss(batch: readonly TrainingSample[]): Scalar {
    const { weights, config } = this.model;
    const head = `${names.lmHead(config)}.weight`;
    const held = weights.linears.get(head)!;
    if (config.llm.tieWordEmbeddings) {
      const { width, vocab, data } = inOnePiece(names.embedTokens(config), weights.embedding(names.embedTokens(config)));
      weights.linears.set(head, {
        kind: 'f32',
        inFeatures: width,
        outFeatures: vocab,
        data: tf.transpose(data as Tensor) as Tensor2D,
      });
    }
    try {
      const samples = batch.map(({ plan, image }) => ({ plan, features: image && this.model.connectImage(image) }));
      return summedLoss(this.model, samples);
    } finally {
      weights.linears.set(head, held);
    }
  }
}
