import { Console } from 'node:console';
import { Command, CommanderError } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { NvlmError, toPlainError, type PlainError } from '../errors.ts';
import { addBench } from './bench-command.ts';
import { addChat } from './chat-command.ts';
import { jsonOption, type Outcome, type Run } from './command.ts';
import { addData } from './data-command.ts';
import { addEval } from './eval-command.ts';
import { addExport } from './export-command.ts';
import { addForward } from './forward-command.ts';
import { addInside } from './inside-command.ts';
import { addInspect } from './inspect-command.ts';
import { addLab } from './lab-command.ts';
import { addPlan } from './plan-command.ts';
import { Progress } from './progress.ts';
import { addSynth } from './synth-command.ts';
import { addTrain } from './train-command.ts';
import { addVerify } from './verify-command.ts';

const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** Runs one command and ends the process: 0 done, 1 failed, 2 wrong usage, 130 stopped with Ctrl-C. */
export async function main(argv: readonly string[]): Promise<void> {
  // Libraries print on their own account; standard output belongs to the command's result.
  globalThis.console = new Console(process.stderr, process.stderr);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // The reader has seen enough (`nvlm … | head`).
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
    throw error;
  });
  const json = argv.includes('--json');
  const progress = new Progress(process.stderr);
  let exitCode: number;
  try {
    exitCode = await parse(argv, json, progress);
  } catch (error) {
    progress.clear();
    exitCode = fail(error, argv, json);
  }
  // Dawn keeps the process alive for as long as its instance lives.
  process.stdout.write('', () => process.exit(exitCode));
}

async function parse(argv: readonly string[], json: boolean, progress: Progress): Promise<number> {
  let exitCode: number = EXIT.ok;
  const run: Run = async (options, work) => {
    const warnings: string[] = [];
    const warn = (text: string): void => {
      progress.clear();
      process.stderr.write(`nvlm: ${text}\n`);
    };
    const outcome = await work({
      json,
      backend: options.backend,
      threads: options.threads,
      signal: abortOnInterrupt(),
      progress,
      warn,
      caution: (texts) => {
        warnings.push(...texts);
        texts.forEach(warn);
      },
    });
    progress.clear();
    print(warnings.length > 0 ? { ...outcome, document: { ...outcome.document, warnings } } : outcome, json);
    exitCode = outcome.interrupted ? EXIT.interrupted : outcome.failed ? EXIT.failed : EXIT.ok;
  };
  const program = new Command('nvlm')
    .description('Chat with images, look into and fine-tune NVLM-D, NVLM-X and NVLM-H from the command line.')
    .version(packageJson.version)
    .addOption(jsonOption().hideHelp())
    .exitOverride()
    .configureOutput({ outputError: () => undefined });
  for (const add of [
    addInspect,
    addChat,
    addInside,
    addForward,
    addPlan,
    addData,
    addEval,
    addTrain,
    addLab,
    addExport,
    addSynth,
    addBench,
    addVerify,
  ])
    add(program, run);
  await program.parseAsync(argv, { from: 'user' });
  return exitCode;
}

function print({ document, text }: Outcome, json: boolean): void {
  if (json) process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  else if (text) process.stdout.write(`${text}\n`);
}

/** The first Ctrl-C asks the work to stop, which it does between two steps; the second does not wait. */
function abortOnInterrupt(): AbortSignal {
  const controller = new AbortController();
  process.on('SIGINT', () => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    controller.abort();
  });
  return controller.signal;
}

/** Tells what went wrong, on standard error for people and with `--json` as the one document on standard output. */
function fail(error: unknown, argv: readonly string[], json: boolean): number {
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
  const plain = error instanceof CommanderError ? usageError(error, argv) : toPlainError(error);
  process.stderr.write(`nvlm: ${plain.message}\n${plain.fix}\n`);
  if (plain.code === 'internal' && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  if (json) process.stdout.write(`${JSON.stringify({ error: plain }, null, 2)}\n`);
  if (plain.code === 'cancelled') return EXIT.interrupted;
  return plain.code === 'usage' ? EXIT.usage : EXIT.failed;
}

function usageError(error: CommanderError, argv: readonly string[]): PlainError {
  // Commander has printed its whole help when no command was given.
  const message = error.code === 'commander.help' ? 'No command was given.' : sentence(error.message);
  const [name = '', second = ''] = argv;
  const command = name === 'data' ? ` data ${second === 'check' ? 'check' : 'desk'}` : COMMANDS.includes(name) ? ` ${name}` : '';
  return toPlainError(new NvlmError('usage', message, `See what there is: nvlm${command} --help`));
}

const COMMANDS = ['inspect', 'chat', 'inside', 'forward', 'plan', 'eval', 'train', 'lab', 'export', 'synth', 'bench', 'verify'];

function sentence(message: string): string {
  const text = message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
  const capitalised = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.?!)]$/.test(capitalised) ? capitalised : `${capitalised}.`;
}
