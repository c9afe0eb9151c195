import { InvalidArgumentError, type Command } from 'commander';
import type { Quantization } from '../engine/api.ts';
import { NvlmError } from '../errors.ts';

export interface QuantizeOptions {
  quantize?: Quantization['bits'];
  groupSize?: Quantization['groupSize'];
}

const BITS = [4, 8] as const;
const GROUP_SIZES = [32, 64, 128] as const;
const DEFAULT_GROUP_SIZE = 64;

export function withQuantizeOptions(command: Command): Command {
  return command
    .option('--quantize <bits>', "pack the language model's matrices into 4 or 8 bits while loading", oneOf(BITS))
    .option(
      '--group-size <n>',
      `with --quantize: how many values share a scale, 32, 64 or 128 (default: ${DEFAULT_GROUP_SIZE})`,
      oneOf(GROUP_SIZES),
    );
}

/** @throws NvlmError `usage` for a group size with nothing to quantise */
export function quantizationOf({ quantize, groupSize }: QuantizeOptions): Quantization | undefined {
  if (quantize !== undefined) return { bits: quantize, groupSize: groupSize ?? DEFAULT_GROUP_SIZE };
  if (groupSize === undefined) return undefined;
  throw new NvlmError('usage', '--group-size says how to quantise, and --quantize is missing.', 'Add --quantize 4 or 8.');
}

function oneOf<T extends number>(allowed: readonly T[]): (text: string) => T {
  return (text) => {
    const value = allowed.find((option) => String(option) === text);
    if (value !== undefined) return value;
    throw new InvalidArgumentError(`Give ${allowed.slice(0, -1).join(', ')} or ${allowed.at(-1)}.`);
  };
}
