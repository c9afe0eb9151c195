import type { RunSample, RunStep } from '../../../engine/runs/training-api.ts';

/** Weight of the past in the smoothed loss: about the last twenty steps. */
const SMOOTHING = 0.9;

/**
 * All steps and samples of one run, a column a measure, in the order of the steps. It grows in place while the run goes
 * on: hundreds of steps a minute are too many for copies.
 */
export class RunHistory {
  readonly steps: number[] = [];
  readonly loss: number[] = [];
  /** Exponential mean of the loss, corrected for its start. */
  readonly smooth: number[] = [];
  readonly heldOut: (number | null)[] = [];
  readonly learningRate: number[] = [];
  readonly gradNorm: number[] = [];
  readonly tokensPerSecond: number[] = [];
  readonly milliseconds: number[] = [];
  readonly memory: (number | null)[] = [];
  /** tanh(g), a list a gated layer; empty for a model without. */
  readonly gates: (number | null)[][] = [];
  readonly samples: RunSample[] = [];
  private mean = 0;

  static of(log: readonly RunStep[], samples: readonly RunSample[]): RunHistory {
    const history = new RunHistory();
    for (const step of log) history.addStep(step);
    for (const sample of samples) history.addSample(sample);
    return history;
  }

  get length(): number {
    return this.steps.length;
  }

  /** A resumed run does the steps after its checkpoint again: they replace the ones that were there. */
  addStep(step: RunStep): void {
    const count = step.step + 1;
    if (this.length > 0 && this.steps.at(-1)! >= count) this.cut(count);
    this.steps.push(count);
    this.loss.push(step.loss);
    this.mean = SMOOTHING * this.mean + (1 - SMOOTHING) * step.loss;
    this.smooth.push(this.mean / (1 - SMOOTHING ** this.length));
    this.heldOut.push(step.heldOutLoss ?? null);
    this.learningRate.push(step.lr);
    this.gradNorm.push(step.gradNorm);
    this.milliseconds.push(step.ms);
    this.tokensPerSecond.push(step.ms > 0 ? (1000 * step.tokens) / step.ms : 0);
    this.memory.push(step.memoryBytes ?? null);
    (step.gates ?? []).forEach((gate, layer) => {
      const column = (this.gates[layer] ??= this.steps.slice(1).map(() => null));
      column.push(gate);
    });
  }

  /** One answer a record and step: asked again after a resume, the later one counts. */
  addSample(sample: RunSample): void {
    const known = this.samples.findIndex((one) => one.step === sample.step && one.record === sample.record);
    if (known >= 0) this.samples[known] = sample;
    else this.samples.push(sample);
  }

  /** Steps at which sample answers were taken, in order; 0 = the base model. */
  sampleSteps(): number[] {
    return [...new Set(this.samples.map(({ step }) => step))].sort((a, b) => a - b);
  }

  /** Lowest held-out loss and the step that measured it. */
  bestHeldOut(): { step: number; loss: number } | null {
    let best: { step: number; loss: number } | null = null;
    this.heldOut.forEach((loss, i) => {
      if (loss !== null && (best === null || loss < best.loss)) best = { step: this.steps[i]!, loss };
    });
    return best;
  }

  /** Removes the steps from the one that ends at `count` on. */
  private cut(count: number): void {
    const at = this.steps.findIndex((step) => step >= count);
    for (const column of [
      this.steps,
      this.loss,
      this.smooth,
      this.heldOut,
      this.learningRate,
      this.gradNorm,
      this.milliseconds,
      this.tokensPerSecond,
      this.memory,
      ...this.gates,
    ])
      column.length = Math.min(column.length, at);
    this.mean = at > 0 ? this.smooth[at - 1]! * (1 - SMOOTHING ** at) : 0;
  }
}
