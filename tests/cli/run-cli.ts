import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../../src/headless/nvlm.mjs', import.meta.url));

export interface CliResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface CliOptions {
  env?: Record<string, string>;
  cwd?: string;
  input?: string;
  /** Called with the running process, e.g. to interrupt it. */
  onStart?: (child: ChildProcess) => void;
}

/** The real command line, in a process of its own. */
export function runCli(args: readonly string[], { env = {}, cwd, input, onStart }: CliOptions = {}): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...args], { cwd, env: { ...process.env, ...env } });
    const result: CliResult = { code: null, stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (result.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (result.stderr += text));
    child.on('error', reject);
    child.on('close', (code) => resolve({ ...result, code }));
    child.stdin.end(input ?? '');
    onStart?.(child);
  });
}

/** Runs with `--json`; the whole of standard output must be one document. */
export async function runJson<T>(args: readonly string[], options?: CliOptions): Promise<CliResult & { document: T }> {
  const result = await runCli([...args, '--json'], options);
  try {
    return { ...result, document: JSON.parse(result.stdout) as T };
  } catch {
    throw new Error(`standard output is not one JSON document: ${result.stdout || '(empty)'}\n${result.stderr}`);
  }
}

export function fixture(path: string): string {
  return fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url));
}
