import type { ModelSource } from '../../../engine/api.ts';
import { OLD_TASKS_SHARE, type Method, type OptimizerName, type RunForm } from './run-form.ts';

export interface Preset {
  id: string;
  title: string;
  words: string;
  steps: number;
}

/** How long, in plain words; the rest follows from it. */
export const PRESETS: readonly Preset[] = [
  { id: 'look', title: 'Quick look', words: '40 steps: does it learn at all?', steps: 40 },
  { id: 'teach', title: 'Teach one thing', words: '200 steps', steps: 200 },
  { id: 'thorough', title: 'Thorough', words: '1000 steps', steps: 1000 },
];

/**
 * Rates at which nano-d and nano-h learnt a new shape from 40 pictures in 100 to 200 steps without forgetting most: at four times the
 * rate they learnt little or no more and forgot far more.
 */
const RATES: Record<Method, number> = { lora: 1e-3, connector: 5e-4, 'cross-attention': 5e-4, decoder: 3e-4 };

/** Of what Muon changes, whatever the method: its updates are equally long on every matrix. */
const MUON_RATE = 2e-3;

/** Everything that hangs on the length: warm-up a twentieth, eight held-out measurements, four looks at answers. */
export function ofLength(steps: number): Partial<RunForm> {
  return {
    steps,
    warmup: Math.max(1, Math.round(steps / 20)),
    heldOutEvery: Math.max(1, Math.round(steps / 8)),
    sampleEvery: Math.max(1, Math.round(steps / 4)),
    checkpointEvery: Math.max(5, Math.min(100, Math.round(steps / 4))),
  };
}

/** How a run begins that nobody has chosen anything for. */
function startOf(model: ModelSource): Partial<RunForm> {
  if (model.kind === 'bundled') return { ...ofMethod('decoder', 'adamw'), blendRatio: OLD_TASKS_SHARE };
  // A stranger's model may be large, and the generated old tasks are of the bundled models' world.
  return { ...ofMethod('lora', 'adamw'), blendRatio: 0 };
}

/** Another model, with its own start where the other's was left as it was. */
export function ofModel(form: RunForm, model: ModelSource): Partial<RunForm> {
  const isStart = Object.entries(startOf(form.model)).every(
    ([name, value]) => JSON.stringify(form[name as keyof RunForm]) === JSON.stringify(value),
  );
  return { model, ...(isStart && startOf(model)) };
}

export function ofMethod(method: Method, optimizer: OptimizerName): Partial<RunForm> {
  return { method, trainable: [], ...ofOptimizer(method === 'connector' ? 'adamw' : optimizer, method) };
}

/** The rates of an optimiser: Muon's of the matrices is another scale altogether, and the rest goes on as with AdamW. */
export function ofOptimizer(optimizer: OptimizerName, method: Method): Partial<RunForm> {
  if (optimizer === 'adamw') return { optimizer, learningRate: RATES[method] };
  return { optimizer, learningRate: MUON_RATE, adamwLearningRate: RATES[method] };
}
