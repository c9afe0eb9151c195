import { NvlmError } from '../../../errors.ts';
import { DECODER_TARGETS } from '../../../nvlm/lora-targets.ts';
import { BOUNDS, modelName, type Method, type NumberSetting, type RunForm } from './run-form.ts';

const MOST_CHARACTERS = 1_000_000;
const MOST_TARGETS = 10_000;
const GROUP_SIZES = ['32', '64', '128'] as const;

type Values = Record<string, unknown>;

/**
 * Puts an untrusted run file into the form. Where the data and the output lie is the page's own matter; what cannot be
 * taken over is said, and the form's own value stays.
 *
 * @param adapters ids of those in this browser
 * @throws NvlmError `usage` when it is no run file at all
 */
export function readRunFile(text: string, form: RunForm, adapters: readonly string[]): { form: RunForm; notes: string[] } {
  const file = parse(text);
  const notes: string[] = [];
  // What a file does not say of blends it does not do.
  const next: RunForm = { ...form, ...method(file), textRatio: 0, blendRatio: 0 };
  for (const [name, { key }] of Object.entries(BOUNDS) as [NumberSetting, { key: string | null }][]) {
    if (key === null) continue;
    const value = at(file, key);
    if (value === undefined || value === null) continue;
    if (typeof value === 'number') next[name] = value;
    else notes.push(`“${key}” is not a number; ${form[name]} stays.`);
  }
  for (const [name, key] of [
    ['shuffle', 'shuffle'],
    ['bucket', 'bucket'],
    ['activationCheckpointing', 'activation_checkpointing'],
    ['pack', 'pack'],
  ] as const) {
    const value = file[key];
    if (typeof value === 'boolean') next[name] = value;
  }
  const schedule = at(file, 'optimizer.schedule');
  if (schedule === 'cosine' || schedule === 'linear' || schedule === 'constant') next.schedule = schedule;
  const optimizer = at(file, 'optimizer.name') ?? 'adamw';
  if (optimizer === 'adamw' || optimizer === 'muon') next.optimizer = optimizer;
  else notes.push(`“optimizer.name” is neither adamw nor muon; ${form.optimizer} stays.`);
  const init = at(file, 'lora.init');
  if (typeof init === 'string' && adapters.includes(init)) next.init = init;
  else if (init) {
    notes.push(
      'It starts from an adapter that is not in this browser: import that in Chat and choose it under “Begin with”, ' +
        'or this run starts a fresh one.',
    );
  }
  const bits = at(file, 'quantize.bits');
  if (bits === 4 || bits === 8) {
    const size = GROUP_SIZES.find((one) => one === String(at(file, 'quantize.group_size') ?? form.groupSize));
    Object.assign(next, { baseBits: String(bits), ...(size && { groupSize: size }) });
    if (!size) notes.push(`“quantize.group_size” is none of ${GROUP_SIZES.join(', ')}; ${form.groupSize} stays.`);
  } else if (bits !== undefined) notes.push('“quantize.bits” is neither 4 nor 8; the base stays as it is stored.');
  if (at(file, 'text.data')) notes.push('Its text-only data is not here; text-only records of the chosen data are used.');
  if (at(file, 'blend.data')) notes.push('Its old abilities are kept with generated records; choose other data if you like.');
  if (typeof file['model'] === 'string' && file['model'] !== modelName(form.model))
    notes.push(`It was written for ${file['model'].slice(0, 200)}; ${modelName(form.model)} stays chosen.`);
  return { form: next, notes };
}

function parse(text: string): Values {
  try {
    if (text.length > MOST_CHARACTERS) throw new Error('too long');
    const json: unknown = JSON.parse(text);
    if (isObject(json) && ['model', 'data', 'steps', 'optimizer', 'lora', 'stage'].some((key) => key in json)) return json;
  } catch {
    // Told below, as for JSON that is something else.
  }
  throw new NvlmError('usage', 'This is not a run file.', 'A run file is a JSON object with model, data and steps.');
}

function method(file: Values): Partial<RunForm> {
  if (isObject(file['lora'])) {
    const targets = texts(file['lora']['targets']);
    const whole = targets.join() === DECODER_TARGETS.join();
    return { method: 'lora', trainable: [], targets: whole ? [] : targets, init: '', baseBits: 'stored' };
  }
  const trainable = texts(file['trainable']);
  const alone = new Map<string, Method>([
    ['connector', 'connector'],
    ['cross_attention', 'cross-attention'],
  ]);
  const known = trainable.length === 1 ? alone.get(trainable[0]!) : undefined;
  if (known) return { method: known, trainable: [] };
  if (trainable.length > 0) return { method: 'decoder', trainable };
  // Stage `pretrain` trains the connector and gated cross-attention; a decoder-only model has the first alone.
  if (file['stage'] === 'pretrain') return { method: 'decoder', trainable: ['connector', 'cross_attention'] };
  return { method: 'decoder', trainable: [] };
}

function texts(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value.filter((entry): entry is string => typeof entry === 'string' && entry !== '').slice(0, MOST_TARGETS);
}

function at(file: Values, path: string): unknown {
  let value: unknown = file;
  for (const key of path.split('.')) value = isObject(value) || Array.isArray(value) ? (value as Values)[key] : undefined;
  return value;
}

function isObject(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
