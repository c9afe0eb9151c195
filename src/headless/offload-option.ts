import { InvalidArgumentError, type Command } from 'commander';
import { NvlmError } from '../errors.ts';

export interface OffloadFlags {
  offload?: boolean;
  deviceBudget?: number;
}

const DEFAULT_BUDGET = 2e9;
const UNITS: Record<string, number> = { MB: 1e6, GB: 1e9 };

export function withOffloadOptions(command: Command): Command {
  return command
    .option('--offload', 'leave the weights on disk and bring layers to the device as they are wanted: slow, for models larger than it')
    .option('--device-budget <size>', 'with --offload: what weights, cache and activations may take, as 800MB (default: 2GB)', size);
}

/** @throws NvlmError `usage` for a budget of something that is not offloaded */
export function offloadOf({ offload, deviceBudget }: OffloadFlags): { budgetBytes: number } | undefined {
  if (offload) return { budgetBytes: deviceBudget ?? DEFAULT_BUDGET };
  if (deviceBudget === undefined) return undefined;
  throw new NvlmError('usage', '--device-budget bounds what --offload holds, and --offload is missing.', 'Add --offload.');
}

function size(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(MB|GB)$/i.exec(text.trim()) ?? [];
  const bytes = Number(digits) * (UNITS[unit?.toUpperCase() ?? ''] ?? NaN);
  if (bytes > 0) return bytes;
  throw new InvalidArgumentError('Give a size such as 800MB or 2GB.');
}
