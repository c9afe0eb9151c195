import { NvlmError } from '../../errors.ts';
import type { FileKeys } from '../file-keys.ts';
import type { Schedule, ScheduleShape } from '../schedule.ts';
import { adamWRule, type AdamWSettings } from './adamw.ts';
import { muonRule, type MuonSettings } from './muon.ts';
import type { UpdateRule } from './update-rule.ts';

/** `optimizer` of a run file, checked. */
export type OptimizerConfig = Schedule & {
  weightDecay: number;
  /** Largest global norm of the gradient; null = no clipping. */
  clip: number | null;
} & AdamWSettings &
  ({ name: 'adamw' } | ({ name: 'muon' /** Rate of what AdamW changes. */; adamwLr: number } & MuonSettings));

export type OptimizerName = OptimizerConfig['name'];

/** What a rule is chosen by. */
interface Trained {
  /** The linear, norm or table that the tensor belongs to. */
  module: string;
  /** In files. */
  shape: readonly number[];
}

export interface ChosenRule {
  rule: UpdateRule;
  /** Factor on the run's learning rate. */
  rate: number;
}

interface Optimizer<Config> {
  /** Reads the keys that it has besides those of all, which every run file may give. */
  read(keys: FileKeys, common: Omit<OptimizerConfig, 'name'>): Config;
  /** The learning rate of a run file that names none. */
  lr: number;
  /** @throws NvlmError `usage` when it has nothing to do on these tensors */
  rules(config: Config, tensors: readonly Trained[]): ChosenRule[];
}

/** Every optimiser that a run file can name. A new one is described here, with a rule of its own beside this file. */
const OPTIMIZERS: { [Name in OptimizerName]: Optimizer<Extract<OptimizerConfig, { name: Name }>> } = {
  adamw: {
    lr: 1e-4,
    read: (_, common) => ({ ...common, name: 'adamw' }),
    rules(config, tensors) {
      const rule = adamWRule(config);
      return tensors.map(() => ({ rule, rate: 1 }));
    },
  },
  muon: {
    lr: 0.01,
    read: (keys, common) => ({
      ...common,
      name: 'muon',
      momentum: keys.number('momentum', 0.95, 0, 0.9999),
      adamwLr: keys.number('adamw_lr', common.lr / 10, 0, 10),
    }),
    // Embeddings and heads are tables of independent rows, and vectors have no directions to make equally long.
    rules(config, tensors) {
      if (!tensors.some(isMatrixOfBlock)) {
        throw new NvlmError(
          'usage',
          'Muon changes matrices of the decoder layers, and this run trains none.',
          'Use the optimizer "adamw", or train the language model, cross-attention or an adapter of them.',
        );
      }
      const matrices: ChosenRule = { rule: muonRule(config), rate: 1 };
      const others: ChosenRule = { rule: adamWRule(config), rate: config.lr > 0 ? config.adamwLr / config.lr : 0 };
      return tensors.map((tensor) => (isMatrixOfBlock(tensor) ? matrices : others));
    },
  },
};

/** The rule of each tensor that a run trains. @throws NvlmError `usage` when the optimiser has nothing to do on them */
export function optimizerRules(config: OptimizerConfig, tensors: readonly Trained[]): ChosenRule[] {
  return (OPTIMIZERS[config.name] as Optimizer<OptimizerConfig>).rules(config, tensors);
}

/** @throws NvlmError `usage` that names the key and what it may be */
export function readOptimizer(keys: FileKeys): OptimizerConfig {
  const name = keys.oneOf('name', Object.keys(OPTIMIZERS) as OptimizerName[], 'adamw');
  const optimizer = OPTIMIZERS[name];
  return optimizer.read(keys, {
    lr: keys.number('lr', optimizer.lr, 0, 10),
    minLr: keys.number('min_lr', 0, 0, 10),
    warmup: keys.integer('warmup', 0, 0, 10_000_000),
    shape: keys.oneOf<ScheduleShape>('schedule', ['cosine', 'linear', 'constant'], 'cosine'),
    betas: keys.betas('betas'),
    eps: keys.number('eps', 1e-8, 1e-30, 1),
    weightDecay: keys.number('weight_decay', 0.1, 0, 10),
    clip: keys.number('clip', 1, 0, 1e9) || null,
  });
}

/** A projection of a decoder layer, or an adapter of one. */
function isMatrixOfBlock({ module, shape }: Trained): boolean {
  return shape.length === 2 && /\.layers\.\d+\./.test(module);
}
