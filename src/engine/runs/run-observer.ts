import { throwIfAborted } from '../../errors.ts';
import type { Folder } from '../../files/folder.ts';
import { countLabels } from '../../training/labels.ts';
import type { RunConfig } from '../../training/run-config.ts';
import type { Trainer, TrainingSample } from '../../training/trainer.ts';
import type { CallOptions } from '../api.ts';
import type { TrainingExample } from './plan-examples.ts';
import type { SampleQuestion } from './run-samples.ts';
import type { TrainingImages } from './train-data.ts';
import type { RunSample } from './training-api.ts';
import { yieldToEventLoop } from '../yield.ts';

export const SAMPLES = 'samples.jsonl';

/** When a run is looked at from outside: what it says of records that it never trains on. */
export class RunObserver {
  constructor(
    private readonly run: Pick<RunConfig, 'steps' | 'batch' | 'heldOutEvery' | 'sampleEvery'>,
    private readonly parts: {
      trainer: Trainer;
      images: TrainingImages;
      heldOut: readonly TrainingExample[];
      questions: readonly SampleQuestion[];
      answer: (questions: readonly SampleQuestion[], step: number, options: CallOptions) => AsyncIterable<RunSample>;
      output: Folder;
      onSample?: (sample: RunSample) => void;
      onAnswered?: (step: number, done: number, total: number) => void;
    },
  ) {}

  /** @param steps behind the model */
  measuresAt(steps: number): boolean {
    const { heldOutEvery } = this.run;
    const isTurn = steps === this.run.steps || steps % heldOutEvery === 0;
    return heldOutEvery > 0 && steps > 0 && this.parts.heldOut.length > 0 && isTurn;
  }

  asksAt(steps: number): boolean {
    const { sampleEvery } = this.run;
    return sampleEvery > 0 && this.parts.questions.length > 0 && (steps === this.run.steps || steps % sampleEvery === 0);
  }

  /** Mean cross-entropy over the held-out records' labelled tokens, in batches of the run's own size. */
  async heldOutLoss({ signal }: CallOptions): Promise<number> {
    const { heldOut, images, trainer } = this.parts;
    trainer.settle();
    let sum = 0;
    let tokens = 0;
    for (let at = 0; at < heldOut.length; at += this.run.batch) {
      throwIfAborted(signal);
      const batch: TrainingSample[] = [];
      for (const { plan, image } of heldOut.slice(at, at + this.run.batch)) {
        batch.push({ plan, image: image === null ? null : await images.get(image, signal) });
        tokens += countLabels(plan);
      }
      sum += await trainer.evaluate(batch);
      images.trim();
      await yieldToEventLoop();
    }
    return sum / tokens;
  }

  /** Asks the held-out questions and keeps the answers. */
  async ask(steps: number, options: CallOptions): Promise<void> {
    const { trainer, questions, answer, output, onSample, onAnswered } = this.parts;
    trainer.settle();
    let done = 0;
    onAnswered?.(steps, done, questions.length);
    for await (const sample of answer(questions, steps, options)) {
      await output.append(SAMPLES, `${JSON.stringify(sample)}\n`);
      onSample?.(sample);
      onAnswered?.(steps, ++done, questions.length);
    }
  }

  /**
   * Cuts the answers back to those of a run of `steps` steps.
   *
   * @returns whether those of this very step are all there
   */
  async cutBack(steps: number): Promise<boolean> {
    const { output, questions } = this.parts;
    const text = new TextDecoder().decode((await output.read(SAMPLES)) ?? new Uint8Array(0));
    const lines = text.split('\n').flatMap((line) => {
      const step = stepOf(line);
      return step === null ? [] : [{ line, step }];
    });
    const isWhole = lines.filter(({ step }) => step === steps).length === questions.length;
    const kept = lines.filter(({ step }) => step < steps || (step === steps && isWhole));
    if (kept.length === 0) await output.remove(SAMPLES);
    else await output.write(SAMPLES, new TextEncoder().encode(kept.map(({ line }) => `${line}\n`).join('')));
    return isWhole;
  }
}

/** null for a line that a dying tab cut off. */
function stepOf(line: string): number | null {
  try {
    return (JSON.parse(line) as RunSample).step;
  } catch {
    return null;
  }
}
