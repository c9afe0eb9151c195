import { NvlmError } from '../../errors.ts';
import { JsonReader } from '../json-reader.ts';

export const ADAPTER_CONFIG = 'adapter_config.json';

/** What adapter_config.json says of plain LoRA. */
export interface AdapterConfig {
  /** `base_model_name_or_path`, shortened; null when it says nothing. */
  base: string | null;
  /**
   * The factor on one module's update.
   *
   * @throws NvlmError `bad-model` when PEFT would give the module another rank or would not adapt it at all
   */
  scaleOf(module: string, rank: number): number;
}

/** How an adapter can begin without changing the base: the update is zero, or lies in the adapter alone. */
const HARMLESS_INITS: readonly unknown[] = [true, false, 'gaussian', 'eva', 'orthogonal'];

/** Keys that say where an adapter comes from or how it was trained, and nothing of what it computes. */
const DESCRIPTIVE = new Set([
  'auto_mapping',
  'base_model_name_or_path',
  'corda_config',
  'eva_config',
  'inference_mode',
  'layers_pattern',
  'loftq_config',
  'lora_dropout',
  'lora_ga_config',
  'megatron_core',
  'peft_version',
  'qalora_group_size',
  'revision',
  'runtime_config',
  'task_type',
]);

/** Keys that are read here, or are checked to be as plain LoRA has them. */
const UNDERSTOOD = new Set([
  'alpha_pattern',
  'bias',
  'exclude_modules',
  'init_lora_weights',
  'layers_to_transform',
  'lora_alpha',
  'peft_type',
  'r',
  'rank_pattern',
  'target_modules',
  'use_rslora',
]);

/**
 * Reads the configuration of a plain LoRA adapter (PEFT's `LoraConfig`).
 *
 * Everything else that PEFT can do to a layer is refused by the key that asks for it: initialisations that change the
 * base (PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA), adapters that act on a part of the tokens (aLoRA), DoRA, biases, modules
 * saved whole. So is any key that is not known here, unless it is off: what it does cannot be told.
 *
 * @param json adapter_config.json, untrusted
 * @throws NvlmError `bad-model`; `unsupported-model` for what is not plain LoRA, by name
 */
export function readAdapterConfig(json: unknown): AdapterConfig {
  const reader = JsonReader.open(json, ADAPTER_CONFIG);
  if (reader.string('peft_type', 'LORA') !== 'LORA') throw unsupported(`its type is ${reader.string('peft_type', '')}`);
  const entries = new Map(Object.entries(json as object) as [string, unknown][]);
  const init = entries.get('init_lora_weights') ?? true;
  if (!HARMLESS_INITS.includes(init)) {
    throw unsupported(`init_lora_weights is ${named(init)}, which changes the model beneath the adapter`);
  }
  if (reader.string('bias', 'none') !== 'none') throw unsupported(`bias is ${named(entries.get('bias'))}: it trains biases`);
  for (const [key, value] of entries) {
    if (!DESCRIPTIVE.has(key) && !UNDERSTOOD.has(key) && !isOff(value)) throw unsupported(`it sets ${key.slice(0, 80)}`);
  }
  const alpha = reader.number('lora_alpha', null, 0, 1e9);
  const usualRank = reader.has('r') ? reader.integer('r', null, 1, 1 << 20) : null;
  const stabilised = reader.boolean('use_rslora', false);
  const alphas = readPattern(entries, 'alpha_pattern');
  const ranks = readPattern(entries, 'rank_pattern');
  const adapts = readModules(entries);
  return {
    base: reader.string('base_model_name_or_path', '').slice(0, 200) || null,
    scaleOf(module, rank) {
      if (!adapts(module)) throw broken(`it holds matrices for ${module}, which its configuration leaves out`);
      const expected = ranks(module) ?? usualRank ?? rank;
      if (rank !== expected) throw broken(`${module} has rank ${rank} where its configuration says ${expected}`);
      // Updates divide alpha by the rank, or with rank stabilisation by its root; both may differ by module.
      return (alphas(module) ?? alpha) / (stabilised ? Math.sqrt(rank) : rank);
    },
  };
}

export function broken(why: string): NvlmError {
  return new NvlmError('bad-model', `The adapter cannot be used: ${why}.`, 'Get its files again, or export it again with PEFT.');
}

export function unsupported(why: string): NvlmError {
  return new NvlmError(
    'unsupported-model',
    `Only plain LoRA adapters work here: ${why}.`,
    'Merge it into its model with PEFT and use that.',
  );
}

/** A number for each module that the first fitting key gives. @throws NvlmError `unsupported-model` */
function readPattern(entries: ReadonlyMap<string, unknown>, key: string): (module: string) => number | undefined {
  const pattern = entries.get(key) ?? {};
  if (typeof pattern !== 'object' || Array.isArray(pattern)) throw broken(`its ${key} is not an object`);
  const numbers = Object.entries(pattern as object).map(([name, value]) => {
    // PEFT takes the keys for regular expressions; running one of an unknown author could take for ever.
    if (!/^[\w.]+$/.test(name) || typeof value !== 'number' || !Number.isFinite(value)) {
      throw unsupported(`its ${key} is more than module names and numbers`);
    }
    return { name, value };
  });
  return (module) => numbers.find(({ name }) => endsWith(module, name))?.value;
}

/** Whether PEFT adapts a module; where it decides by a regular expression, the matrices that are there tell. */
function readModules(entries: ReadonlyMap<string, unknown>): (module: string) => boolean {
  const targets = namesIn(entries, 'target_modules');
  const excluded = namesIn(entries, 'exclude_modules');
  const layers = entries.get('layers_to_transform') ?? [];
  const chosen: unknown[] = Array.isArray(layers) ? layers : [layers];
  if (!chosen.every((layer) => Number.isInteger(layer))) throw broken('its layers_to_transform are not layer numbers');
  return (module) => {
    if (targets && !targets.some((name) => endsWith(module, name))) return false;
    if (excluded?.some((name) => endsWith(module, name))) return false;
    if (chosen.length === 0 || targets?.includes(module)) return true;
    // The first number in the name is the layer's.
    const layer = /\.(\d+)\./.exec(module)?.[1];
    return layer !== undefined && chosen.includes(Number(layer));
  };
}

/** null for a pattern, or nothing. */
function namesIn(entries: ReadonlyMap<string, unknown>, key: string): string[] | null {
  const value = entries.get(key) ?? null;
  if (value === null || typeof value === 'string') return null;
  if (Array.isArray(value) && value.every((name) => typeof name === 'string')) return value;
  throw broken(`its ${key} is no list of names`);
}

function endsWith(module: string, name: string): boolean {
  return module === name || module.endsWith(`.${name}`);
}

function isOff(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return value === null || value === false || value === '';
}

function named(value: unknown): string {
  return typeof value === 'string' ? `"${value.slice(0, 80)}"` : JSON.stringify(value).slice(0, 80);
}
