import { NvlmError } from '../errors.ts';
import type { QuantizeOptions } from '../nvlm/load-weights.ts';
import { DECODER_TARGETS } from '../nvlm/lora-targets.ts';
import { TAG_FORMAT_NAMES, type TagFormat } from '../tiling/tags.ts';
import { readOptimizer, type OptimizerConfig } from './optimizers/optimizers.ts';
import { FileKeys, type FileKind } from './file-keys.ts';

export interface LoraConfig {
  rank: number;
  alpha: number;
  dropout: number;
  /** Ends of module names, e.g. `self_attn.q_proj`; as PEFT matches its `target_modules`. */
  targets: string[];
  /**
   * Folder of a PEFT adapter to start from, whose own rank, alpha and modules count then; null = A random, B zero.
   */
  init: string | null;
}

/** A run file, checked; paths as they stand in it. */
export interface RunConfig {
  model: string;
  data: string;
  stage: 'pretrain' | 'sft';
  /** Groups (`connector`, `cross_attention`, `language_model`) or beginnings of tensor names; null = the stage's. */
  trainable: string[] | null;
  lora: LoraConfig | null;
  /** How a LoRA run's frozen base is packed while it loads; null = as it is stored. */
  quantize: QuantizeOptions | null;
  batch: number;
  /** Batches whose gradients make one step. */
  accumulate: number;
  steps: number;
  optimizer: OptimizerConfig;
  shuffle: boolean;
  bucket: boolean;
  seed: number;
  /** Text-only blend; `data` null = the records of the main data that have no picture. */
  text: { data: string | null; ratio: number } | null;
  /** Blend of other records, with pictures or without: what the model can do already and shall not forget. */
  blend: { data: string; ratio: number } | null;
  activationCheckpointing: boolean;
  /** All records of a picture are one sample: what they begin with in common, the picture, is computed once. */
  pack: boolean;
  /** Most regular tiles a picture; null = the model's. */
  maxTiles: number | null;
  /** How tiles are named in the text, in place of the model's own `tile_tags`; null = those. The tuned model keeps it. */
  tileTags: TagFormat | null;
  checkpointEvery: number;
  /** Other data to measure on, never trained on; null = the records of `data` that say `"held_out": true`. */
  heldOut: string | null;
  /** Steps between two measurements of the held-out loss, the last step aside; 0 = none. */
  heldOutEvery: number;
  /** Steps between two rounds of sample answers, before the first step and after the last aside; 0 = none. */
  sampleEvery: number;
  /** How many held-out records are answered, spread evenly over them. */
  samples: number;
  /** Null = named on the command line. */
  out: string | null;
}

const RUN_FILE: FileKind = {
  name: 'run file',
  see: 'See `train` in the README for what it holds.',
  mostCharacters: 4096,
  mostEntries: 10_000,
};

/**
 * Reads an untrusted run file (README, Fine-tune from the command line). What it does not say has the defaults of the paper's SFT where
 * those make sense for small runs.
 *
 * @throws NvlmError `usage` that names the key and what it may be
 */
export function parseRun(json: unknown, path: string): RunConfig {
  const run = new FileKeys(json, path, RUN_FILE);
  const optimizer = run.object('optimizer');
  const lora = run.object('lora');
  const text = run.object('text');
  const blend = run.object('blend');
  const quantize = run.object('quantize');
  const config: RunConfig = {
    model: run.text('model'),
    data: run.text('data'),
    stage: run.oneOf('stage', ['pretrain', 'sft'], 'sft'),
    trainable: run.texts('trainable'),
    lora: lora.given
      ? {
          rank: lora.integer('rank', 8, 1, 1024),
          alpha: lora.number('alpha', 16, 0, 1e6),
          dropout: lora.number('dropout', 0, 0, 0.99),
          targets: lora.texts('targets') ?? [...DECODER_TARGETS],
          init: lora.optionalText('init'),
        }
      : null,
    quantize: quantize.given
      ? {
          bits: quantize.oneOf('bits', [4, 8] as const, null),
          groupSize: quantize.oneOf('group_size', [32, 64, 128] as const, DEFAULT_GROUP_SIZE),
        }
      : null,
    batch: run.integer('batch', 1, 1, 4096),
    accumulate: run.integer('accumulate', 1, 1, 4096),
    steps: run.integer('steps', null, 1, 10_000_000),
    optimizer: readOptimizer(optimizer),
    shuffle: run.boolean('shuffle', true),
    bucket: run.boolean('bucket', false),
    seed: run.integer('seed', 0, 0, 2 ** 32 - 1),
    text: text.given ? { data: text.optionalText('data'), ratio: text.number('ratio', null, 0, 0.99) } : null,
    blend: blend.given ? { data: blend.text('data'), ratio: blend.number('ratio', null, 0, 0.99) } : null,
    activationCheckpointing: run.boolean('activation_checkpointing', false),
    pack: run.boolean('pack', false),
    maxTiles: run.optionalInteger('max_tiles', 1, 64),
    tileTags: run.optionalOneOf('tile_tags', TAG_FORMAT_NAMES),
    checkpointEvery: run.integer('checkpoint_every', 100, 1, 10_000_000),
    heldOut: run.optionalText('held_out'),
    heldOutEvery: run.integer('held_out_every', 0, 0, 10_000_000),
    sampleEvery: run.integer('sample_every', 0, 0, 10_000_000),
    samples: run.integer('samples', 4, 0, 1000),
    out: run.optionalText('out'),
  };
  for (const keys of [run, optimizer, lora, text, blend, quantize]) keys.refuseOthers();
  if (config.lora && config.trainable) {
    throw new NvlmError('usage', `${path}: a LoRA run trains its adapter alone.`, 'Leave out "trainable", or "lora".');
  }
  if (config.quantize && !config.lora) {
    throw new NvlmError(
      'usage',
      `${path}: "quantize" packs the model's matrices, and packed ones cannot be trained themselves.`,
      'Add "lora" to train an adapter on them, or leave "quantize" out.',
    );
  }
  if (config.text && config.blend) {
    throw new NvlmError(
      'usage',
      `${path}: "text" and "blend" both blend other records in.`,
      'Leave one of them out; the data of "blend" may hold text-only records too.',
    );
  }
  return config;
}

/** As MLX's and `--group-size`'s. */
const DEFAULT_GROUP_SIZE = 64;
