import { InvalidArgumentError, Option, type Command } from 'commander';
import { MOST_THREADS } from '../device/thread-choice.ts';
import type { BackendChoice } from '../device/types.ts';
import { NvlmError } from '../errors.ts';
import type { Progress } from './progress.ts';

/** What every command takes, besides `--json`, which may also stand before the command and is main's affair. */
export interface CommonOptions {
  backend: BackendChoice;
  threads?: number;
}

/** What a command has at hand while it works. */
export interface Context {
  /** One JSON document goes to standard output, and nothing else. */
  json: boolean;
  backend: BackendChoice;
  /** Of the wasm backend; without it as many as help. */
  threads?: number;
  /** Fires on Ctrl-C. */
  signal: AbortSignal;
  progress: Progress;
  /** A line on standard error. */
  warn(text: string): void;
  /** As {@link warn}, and in the `warnings` of the JSON document: what a model's folder says of itself. */
  caution(texts: readonly string[]): void;
}

/** What a command hands back to be printed. */
export interface Outcome {
  /** The document of `--json`. */
  document: object;
  /** The same for people; empty when it was streamed already. */
  text: string;
  /** The work was done and its result is bad, as with a failed `verify`. */
  failed?: boolean;
  /** Ctrl-C came when part of the result was there. */
  interrupted?: boolean;
}

export type Run = (options: CommonOptions, work: (context: Context) => Promise<Outcome>) => Promise<void>;

const BACKENDS: readonly BackendChoice[] = ['auto', 'webgpu', 'wasm', 'cpu'];

export function withCommonOptions(command: Command): Command {
  return command
    .addOption(new Option('--backend <name>', 'what computes; auto never takes a software GPU adapter').choices(BACKENDS).default('auto'))
    .option(
      '--threads <n>',
      'threads of the wasm backend (default: up to one a core, as many as measure faster)',
      wholeNumber(1, MOST_THREADS),
    )
    .addOption(jsonOption());
}

export function jsonOption(): Option {
  return new Option('--json', 'one JSON document on standard output, nothing else');
}

/**
 * The value of an option that a command cannot do without. Commander's own check would come before the one for unknown
 * flags, and a mistyped flag would be reported as missing.
 * @throws NvlmError `usage`
 */
export function required<T>(value: T | undefined, flag: string): T {
  if (value !== undefined) return value;
  throw new NvlmError('usage', `${flag} is missing.`, 'Add it; --help shows all there is.');
}

/** Parser of an option's value. */
export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isSafeInteger(value) && value >= least && value <= most) return value;
    const range = most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `${least} to ${most}`;
    throw new InvalidArgumentError(`Give a whole number, ${range}.`);
  };
}

/** Parser of an option's value; `least` itself is allowed unless `above` is set. */
export function number(least: number, most: number, { above = false } = {}): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value <= most && (above ? value > least : value >= least)) return value;
    throw new InvalidArgumentError(`Give a number ${above ? 'above' : 'from'} ${least}, up to ${most}.`);
  };
}
