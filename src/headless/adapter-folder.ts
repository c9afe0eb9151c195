import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { AdapterFiles, StrongAdapter } from '../engine/adapters/adapter.ts';
import { NvlmError } from '../errors.ts';
import { parseSafetensors } from '../weights/safetensors.ts';
import { readInput } from './input-files.ts';

export interface AdapterOptions {
  adapter?: string[];
}

export function withAdapterOption(command: Command): Command {
  return command.option(
    '--adapter <folder[:strength]>',
    'folder of a PEFT LoRA adapter to put on the model, and how strongly (0 to 2, default 1); several if given again',
    (folder: string, before: string[] = []) => [...before, folder],
  );
}

const MOST_STRENGTH = 2;

/** @throws NvlmError `not-found`, `bad-model`, `usage` */
export async function readAdapters({ adapter = [] }: AdapterOptions): Promise<StrongAdapter[]> {
  const adapters: StrongAdapter[] = [];
  for (const given of adapter) {
    const { folder, strength } = await parseAdapterOption(given);
    adapters.push({ files: await readAdapterFolder(folder), strength });
  }
  return adapters;
}

/** A folder whose own name ends in a colon and a number is the folder. */
async function parseAdapterOption(given: string): Promise<{ folder: string; strength: number }> {
  const [, folder, number] = /^(.+):([^:/\\]*)$/.exec(given) ?? [];
  const whole = await stat(given).catch(() => null);
  if (whole || folder === undefined) return { folder: given, strength: 1 };
  const strength = number!.trim() === '' ? NaN : Number(number);
  if (strength >= 0 && strength <= MOST_STRENGTH) return { folder, strength };
  throw new NvlmError('usage', `“${number}” is no strength of an adapter.`, `Give --adapter FOLDER:NUMBER, 0 to ${MOST_STRENGTH}.`);
}

const MOST_CONFIG_BYTES = 2 ** 20;
const MOST_ADAPTER_BYTES = 2 ** 32;

/** @throws NvlmError `not-found`, `bad-model` */
export async function readAdapterFolder(folder: string): Promise<AdapterFiles> {
  const configFile = join(folder, 'adapter_config.json');
  const weightsFile = join(folder, 'adapter_model.safetensors');
  const text = new TextDecoder().decode(await readInput(configFile, MOST_CONFIG_BYTES));
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch (cause) {
    throw new NvlmError('bad-model', `${configFile} is not JSON.`, 'Get the adapter again, or export it again.', {
      cause,
    });
  }
  return { config, tensors: parseSafetensors(await readInput(weightsFile, MOST_ADAPTER_BYTES), weightsFile) };
}
