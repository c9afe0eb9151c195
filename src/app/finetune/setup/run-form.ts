import type { FamilySummary, ModelSource } from '../../../engine/api.ts';
import type { RunFile } from '../../../engine/runs/training-api.ts';
import { DECODER_TARGETS } from '../../../nvlm/lora-targets.ts';

/** What of the model trains. */
export type Method = 'lora' | 'connector' | 'cross-attention' | 'decoder';
export type ScheduleShape = 'cosine' | 'linear' | 'constant';
/** Muon changes the matrices of the decoder layers, AdamW the rest or all. */
export type OptimizerName = 'adamw' | 'muon';

/** Every setting of a run, as the controls hold it. NaN = a number field that holds no number. */
export interface RunForm {
  title: string;
  model: ModelSource;
  method: Method;
  /** Groups or beginnings of tensor names in place of the method's; empty = the method's. Without LoRA only. */
  trainable: string[];
  steps: number;
  batch: number;
  accumulate: number;
  optimizer: OptimizerName;
  learningRate: number;
  /** Muon: of what AdamW changes. */
  adamwLearningRate: number;
  /** Muon: share of its running mean that stays from one step to the next. */
  momentum: number;
  minLearningRate: number;
  warmup: number;
  schedule: ScheduleShape;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  /** 0 = off */
  clip: number;
  rank: number;
  alpha: number;
  dropout: number;
  /** Ends of module names; empty = every linear layer of the decoder. */
  targets: string[];
  /** An adapter of this browser to begin with, by its id; empty = a fresh one. With it, its own rank and targets count. */
  init: string;
  /** How an adapter's base is packed. */
  baseBits: 'stored' | '8' | '4';
  /** Values of the packed base that share a scale. */
  groupSize: '32' | '64' | '128';
  shuffle: boolean;
  bucket: boolean;
  seed: number;
  /** Share of text-only records; 0 = as they come. */
  textRatio: number;
  /** Share of records of another dataset, so that the model keeps what it can do; 0 = none. */
  blendRatio: number;
  /** That dataset's id; empty = records of the desk world, generated when the run starts. */
  blendData: string;
  /** Most regular tiles a picture; 0 = the model's. */
  maxTiles: number;
  activationCheckpointing: boolean;
  /** All questions about a picture in one sample. */
  pack: boolean;
  checkpointEvery: number;
  heldOutEvery: number;
  sampleEvery: number;
  samples: number;
}

/** Share of every batch with which old abilities are kept: enough that the old tasks are all in it. */
export const OLD_TASKS_SHARE = 0.3;

export type NumberSetting = {
  [Name in keyof RunForm]: RunForm[Name] extends number ? Name : never;
}[keyof RunForm];

interface Bounds {
  min: number;
  max: number;
  whole?: boolean;
  /** Where it stands in the run file; null = the page's own, in no run file. */
  key: string | null;
}

/** The same bounds as the trainer's own check of a run file. */
export const BOUNDS: Record<NumberSetting, Bounds> = {
  steps: { min: 1, max: 10_000_000, whole: true, key: 'steps' },
  batch: { min: 1, max: 4096, whole: true, key: 'batch' },
  accumulate: { min: 1, max: 4096, whole: true, key: 'accumulate' },
  learningRate: { min: 0, max: 10, key: 'optimizer.lr' },
  adamwLearningRate: { min: 0, max: 10, key: 'optimizer.adamw_lr' },
  momentum: { min: 0, max: 0.9999, key: 'optimizer.momentum' },
  minLearningRate: { min: 0, max: 10, key: 'optimizer.min_lr' },
  warmup: { min: 0, max: 10_000_000, whole: true, key: 'optimizer.warmup' },
  beta1: { min: 0, max: 0.9999, key: 'optimizer.betas.0' },
  beta2: { min: 0, max: 0.999999, key: 'optimizer.betas.1' },
  epsilon: { min: 1e-30, max: 1, key: 'optimizer.eps' },
  weightDecay: { min: 0, max: 10, key: 'optimizer.weight_decay' },
  clip: { min: 0, max: 1e9, key: 'optimizer.clip' },
  rank: { min: 1, max: 1024, whole: true, key: 'lora.rank' },
  alpha: { min: 0, max: 1e6, key: 'lora.alpha' },
  dropout: { min: 0, max: 0.99, key: 'lora.dropout' },
  seed: { min: 0, max: 2 ** 32 - 1, whole: true, key: 'seed' },
  textRatio: { min: 0, max: 0.99, key: 'text.ratio' },
  blendRatio: { min: 0, max: 0.99, key: 'blend.ratio' },
  maxTiles: { min: 0, max: 64, whole: true, key: 'max_tiles' },
  checkpointEvery: { min: 1, max: 10_000_000, whole: true, key: 'checkpoint_every' },
  heldOutEvery: { min: 0, max: 10_000_000, whole: true, key: null },
  sampleEvery: { min: 0, max: 10_000_000, whole: true, key: null },
  samples: { min: 0, max: 1000, whole: true, key: null },
};

export const DEFAULT_FORM: RunForm = {
  title: '',
  model: { kind: 'bundled', id: 'nano-d' },
  // What bench/default-method.ts measured best for the bundled models; see docs/experiments/default-method.md.
  method: 'decoder',
  trainable: [],
  steps: 200,
  batch: 4,
  accumulate: 1,
  optimizer: 'adamw',
  learningRate: 0.0003,
  adamwLearningRate: 0.0003,
  momentum: 0.95,
  minLearningRate: 0,
  warmup: 10,
  schedule: 'cosine',
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0,
  clip: 1,
  rank: 8,
  alpha: 16,
  dropout: 0,
  targets: [],
  init: '',
  baseBits: 'stored',
  groupSize: '64',
  shuffle: true,
  bucket: false,
  seed: 0,
  textRatio: 0,
  blendRatio: OLD_TASKS_SHARE,
  blendData: '',
  maxTiles: 0,
  activationCheckpointing: false,
  pack: false,
  checkpointEvery: 50,
  heldOutEvery: 25,
  sampleEvery: 50,
  // Enough for a table of a few labels, and seconds beside the steps.
  samples: 40,
};

export type FormProblems = Partial<Record<keyof RunForm, string>>;

/**
 * What is wrong, beside the control that it is wrong in.
 *
 * @param adapters those of this browser; null = not known yet
 */
export function checkForm(
  form: RunForm,
  family: Pick<FamilySummary, 'title' | 'crossAttends'> | null,
  adapters: readonly { id: string }[] | null,
): FormProblems {
  const problems: FormProblems = {};
  for (const name of Object.keys(BOUNDS) as NumberSetting[]) {
    const problem = checkNumber(form[name], BOUNDS[name]);
    if (problem) problems[name] = problem;
  }
  if (!problems.warmup && !problems.steps && form.warmup > form.steps) problems.warmup = 'Longer than the run itself.';
  if (!problems.minLearningRate && form.minLearningRate > form.learningRate) problems.minLearningRate = 'Above the learning rate.';
  if (!problems.learningRate && form.learningRate === 0) problems.learningRate = 'At 0 nothing would be learnt.';
  if (form.optimizer === 'muon' && form.method === 'connector')
    problems.optimizer = 'Muon changes matrices of the decoder layers, and the connector has none: choose AdamW.';
  if (form.textRatio > 0 && form.blendRatio > 0) problems.textRatio = 'Either this or the old abilities, not both.';
  if (form.method === 'lora' && form.init !== '' && adapters && !adapters.some(({ id }) => id === form.init))
    problems.init = 'This adapter is not in this browser any more.';
  if (form.method === 'cross-attention' && family && !family.crossAttends)
    problems.method = `${family.title} has no cross-attention: choose another method, or an X or H model.`;
  return problems;
}

function checkNumber(value: number, { min, max, whole }: Bounds): string | null {
  if (!Number.isFinite(value)) return 'Type a number.';
  if (value < min) return `At least ${min}.`;
  if (value > max) return `At most ${max.toLocaleString('en-US')}.`;
  if (whole && !Number.isInteger(value)) return 'A whole number.';
  return null;
}

/** The stage and tensors of a method, as a run file says them. */
function methodKeys({ method, trainable, rank, alpha, dropout, targets, init, baseBits, groupSize }: RunForm): RunFile {
  if (method === 'lora') {
    const own = { rank, alpha, dropout, targets: targets.length > 0 ? targets : [...DECODER_TARGETS] };
    return {
      stage: 'sft',
      lora: { ...own, ...(init !== '' && { init }) },
      ...(baseBits !== 'stored' && { quantize: { bits: Number(baseBits), group_size: Number(groupSize) } }),
    };
  }
  if (trainable.length > 0) return { stage: 'sft', trainable };
  if (method === 'connector') return { stage: 'pretrain', trainable: ['connector'] };
  if (method === 'cross-attention') return { stage: 'pretrain', trainable: ['cross_attention'] };
  return { stage: 'sft' };
}

/** The run file, complete: it says also what is at its default, so that it means the same in years. */
export function toRunFile(form: RunForm, dataset: string): RunFile {
  return {
    model: modelName(form.model),
    data: dataset,
    ...methodKeys(form),
    batch: form.batch,
    accumulate: form.accumulate,
    steps: form.steps,
    optimizer: {
      name: form.optimizer,
      ...(form.optimizer === 'muon' && { adamw_lr: form.adamwLearningRate, momentum: form.momentum }),
      lr: form.learningRate,
      min_lr: form.minLearningRate,
      warmup: form.warmup,
      schedule: form.schedule,
      betas: [form.beta1, form.beta2],
      eps: form.epsilon,
      weight_decay: form.weightDecay,
      clip: form.clip,
    },
    shuffle: form.shuffle,
    bucket: form.bucket,
    seed: form.seed,
    ...(form.textRatio > 0 && { text: { ratio: form.textRatio } }),
    ...(form.blendRatio > 0 && form.blendData !== '' && { blend: { data: form.blendData, ratio: form.blendRatio } }),
    activation_checkpointing: form.activationCheckpointing,
    ...(form.pack && { pack: true }),
    ...(form.maxTiles > 0 && { max_tiles: form.maxTiles }),
    checkpoint_every: form.checkpointEvery,
  };
}

/** What stands for a model in a run file. */
export function modelName(source: ModelSource): string {
  switch (source.kind) {
    case 'bundled':
      return source.id;
    case 'hub':
      return `${source.repository}@${source.revision}`;
    case 'url':
      return source.url;
    case 'folder':
      return source.path;
    case 'files':
      return source.name;
    case 'run':
      return `run:${source.id}`;
  }
}
