import type { Tensor, Variable } from '@tensorflow/tfjs';

/** What one step gives a rule besides the tensor and its gradient. */
export interface RuleStep {
  learningRate: number;
  /** Share of the value that a learning rate of 1 would take away. */
  weightDecay: number;
  /** Steps that this tensor has taken, this one included: 1 at the first. */
  count: number;
  /** Factor on the gradient: clipping. */
  gradientScale: number;
}

/** A trained tensor as a rule changes it. */
export interface RuleTensor {
  /** As it lies on the device: a linear's matrix [in, out]. */
  variable: Variable;
  /** As it stands in files: a linear's matrix [out, in]. */
  shape: readonly number[];
  /** What the rule keeps between steps, of the variable's shape, by {@link UpdateRule.state}. */
  state: Readonly<Record<string, Variable>>;
}

/** How an optimiser changes one tensor. */
export interface UpdateRule {
  /** Names of what is kept beside the tensor between steps, one number each a trained number; PyTorch's, in checkpoints. */
  readonly state: readonly string[];
  /** Takes one step in place: the variables keep their identity. */
  update(tensor: RuleTensor, gradient: Tensor, step: RuleStep): void;
  /** Numbers that an update holds for as long as it takes, for a tensor of this shape. */
  scratch(shape: readonly number[]): number;
}
