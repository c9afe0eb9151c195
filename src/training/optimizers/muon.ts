import * as tf from '@tensorflow/tfjs';
import type { Tensor2D } from '@tensorflow/tfjs';
import type { UpdateRule } from './update-rule.ts';

export interface MuonSettings {
  /** Share of the running mean that stays from one step to the next. */
  momentum: number;
}

const MEAN = 'momentum_buffer';

/** a, b, c of the quintic a·x + b·x³ + c·x⁵, chosen for a steep slope at 0 (Keller Jordan 2024). */
const QUINTIC = [3.4445, -4.775, 2.0315] as const;
const ROUNDS = 5;
const EPS = 1e-7;

/**
 * A matrix by the nearest orthogonal matrix to its gradient's running mean: every direction of the update is equally
 * long, where a gradient has a few long and many short ones. Keller Jordan's Muon with Nesterov's look ahead, as in
 * PyTorch's `torch.optim.Muon` (its scaling "original"), but in 32-bit floats where PyTorch orthogonalises in bfloat16.
 */
export function muonRule({ momentum }: MuonSettings): UpdateRule {
  return {
    state: [MEAN],
    update({ variable, shape, state }, gradient, { learningRate, weightDecay, gradientScale }) {
      const mean = state[MEAN]!;
      // A matrix with more outputs than inputs has room for longer updates; the same in files and on the device.
      const [outputs, inputs] = shape as [number, number];
      const rate = learningRate * Math.sqrt(Math.max(1, outputs / inputs));
      tf.tidy(() => {
        const scaled = gradient.mul<Tensor2D>((1 - momentum) * gradientScale);
        mean.assign(mean.mul(momentum).add(scaled));
        const ahead = mean.mul<Tensor2D>(momentum).add<Tensor2D>(scaled);
        const kept = variable.mul(1 - learningRate * weightDecay);
        variable.assign(kept.sub(orthogonalized(ahead).mul(rate)));
      });
    },
    // The look ahead and two rounds of it, the products of the shorter side with itself three times.
    scratch([outputs, inputs]) {
      const short = Math.min(outputs!, inputs!);
      return 3 * outputs! * inputs! + 3 * short * short;
    },
  };
}

/**
 * Near U·Vᵀ of the matrix's singular value decomposition U·S·Vᵀ, its singular values from about 0.7 to 1.2 instead of
 * 1, by Newton–Schulz rounds of matrix products alone.
 */
export function orthogonalized(matrix: Tensor2D): Tensor2D {
  return tf.tidy(() => {
    const [rows, columns] = matrix.shape;
    // X·Xᵀ or Xᵀ·X, whichever is smaller.
    const isWide = rows <= columns;
    const [a, b, c] = QUINTIC;
    let x = matrix.div<Tensor2D>(matrix.norm().maximum(EPS));
    for (let round = 0; round < ROUNDS; round++) {
      x = tf.tidy(() => {
        const gram = tf.matMul(x, x, !isWide, isWide);
        const inner = gram.mul<Tensor2D>(b).add<Tensor2D>(tf.matMul(gram, gram).mul(c));
        const turned = isWide ? tf.matMul(inner, x) : tf.matMul(x, inner);
        return x.mul<Tensor2D>(a).add<Tensor2D>(turned);
      });
    }
    return x;
  });
}
