/**
 * The mutation gate: puts one small fault after the other into a copy of the code and fails when the tests nearest to it do not
 * notice. The lists are the JSON files beside this one; to add a fault, add an entry.
 *
 *   npm run test:mutations                    all
 *   npm run test:mutations -- --part 1/4      every fourth group of tests
 *   npm run test:mutations -- --only sampler  those whose file or fault has this in it
 *   npm run test:mutations -- --lanes 2       how many at a time (default: two, or one on a single core)
 *   npm run test:mutations -- --minutes 20    begins none after that time; those that are left count as not noticed
 */
import { fork, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { LaneResult, LaneTask } from './lane.ts';
import { readMutants, type Mutant } from './mutants.ts';

/** Tests that need this many times what they need without the mutant hang: they are ended, and have shown nothing. */
const PATIENCE = 5;
const LEAST_PATIENCE_MS = 120_000;

const { values } = parseArgs({
  options: {
    part: { type: 'string', default: '1/1' },
    only: { type: 'string', default: '' },
    lanes: { type: 'string' },
    minutes: { type: 'string' },
  },
});

/** Mutants that the same tests watch, so that these run once without any fault. */
function groupsOf(mutants: Mutant[]): Mutant[][] {
  const groups = new Map<string, Mutant[]>();
  for (const mutant of mutants) {
    const key = JSON.stringify([mutant.tests, mutant.only]);
    groups.set(key, [...(groups.get(key) ?? []), mutant]);
  }
  return [...groups.values()];
}

function chosen(): Mutant[][] {
  const [part, parts] = values.part.split('/').map(Number);
  if (!part || !parts || part > parts) throw new Error(`--part ${values.part} is not k/n, for example 1/4`);
  const wanted = readMutants().filter(({ file, fault }) => `${file} ${fault}`.toLowerCase().includes(values.only.toLowerCase()));
  // By turns from the largest on, so that the parts are alike and the lanes end together.
  return groupsOf(wanted)
    .sort((a, b) => b.length - a.length)
    .filter((_, index) => index % parts === part - 1);
}

/** A lane's process with its copy; it is ended and begun anew when a mutant hangs in it. */
class Lane {
  #child: ChildProcess | null = null;
  #folder = '';

  /** @returns the result, or `hung` */
  async run(task: LaneTask, mostMs: number): Promise<LaneResult | 'hung'> {
    const child = (this.#child ??= await this.#start());
    let limit: NodeJS.Timeout | undefined;
    const hung = new Promise<'hung'>((resolve) => (limit = setTimeout(() => resolve('hung'), mostMs)));
    const ended = (error: Error): LaneResult => ({ passed: 0, failed: [], broken: [error.message] });
    const result = await Promise.race([answerOf(child, task).catch(ended), hung]);
    clearTimeout(limit);
    if (result === 'hung' || child.exitCode !== null || child.signalCode !== null) this.end();
    return result;
  }

  end(): void {
    // The whole group: a test that hangs sits in a process of vitest's.
    const pid = this.#child?.pid;
    this.#child = null;
    if (pid) killGroup(pid);
    if (this.#folder) rmSync(this.#folder, { recursive: true, force: true });
    this.#folder = '';
  }

  async #start(): Promise<ChildProcess> {
    this.#folder = await mkdtemp(join(tmpdir(), 'nvlm-mutations-'));
    const child = fork(fileURLToPath(new URL('./lane.ts', import.meta.url)), [this.#folder], { detached: true });
    child.on('exit', (code) => {
      if (this.#child === child) console.error(`a lane ended by itself (${code})`);
    });
    await new Promise((resolve) => child.once('message', resolve));
    return child;
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Ended by itself, with everything that it had started.
  }
}

function answerOf(child: ChildProcess, task: LaneTask): Promise<LaneResult> {
  return new Promise((resolve, reject) => {
    const ended = () => reject(new Error('the lane ended'));
    child.once('message', (result) => {
      child.off('exit', ended);
      resolve(result as LaneResult);
    });
    child.once('exit', ended);
    child.send(task);
  });
}

/** What one mutant came to; null when its tests saw it. */
function verdict(result: LaneResult | 'hung'): string | null {
  if (result === 'hung') return 'hung: let a test see it before it does';
  if (result.failed.length > 0) return null;
  // Tests that could not even begin have seen nothing: a fault has to be one that only a check of values or of behaviour finds.
  if (result.broken.length > 0) return `broken: ${result.broken[0]}`;
  return 'SURVIVED';
}

const failures: string[] = [];
let dead = 0;
const endsAt = values.minutes ? performance.now() + Number(values.minutes) * 60_000 : Infinity;

async function runGroup(lane: Lane, group: Mutant[]): Promise<void> {
  if (performance.now() > endsAt) {
    for (const { fault, file } of group) failures.push(`${fault} (${file}): not run, the time is up`);
    return;
  }
  const begun = performance.now();
  const plain = await lane.run({ mutant: group[0]!, plain: true }, 600_000);
  const plainMs = performance.now() - begun;
  if (plain === 'hung' || plain.failed.length > 0 || plain.broken.length > 0 || plain.passed === 0) {
    const why = plain === 'hung' ? 'they hang' : (plain.failed[0] ?? plain.broken[0] ?? 'there is none');
    for (const { fault } of group) failures.push(`${fault}: ${group[0]!.tests.join(', ')} do not pass without it: ${why}`);
    return;
  }
  for (const mutant of group) {
    if (performance.now() > endsAt) {
      failures.push(`${mutant.fault} (${mutant.file}): not run, the time is up`);
      continue;
    }
    const start = performance.now();
    const result = await lane.run({ mutant, plain: false }, Math.max(LEAST_PATIENCE_MS, PATIENCE * plainMs));
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    const fault = verdict(result);
    if (fault) failures.push(`${mutant.fault} (${mutant.file}): ${fault}`);
    else dead++;
    const seen = result === 'hung' ? null : result.failed[0];
    console.log(`${fault ? '✗' : '✓'} ${mutant.file}: ${mutant.fault}  ${seconds} s  ${fault ?? seen}`);
  }
}

const groups = chosen();
const count = groups.flat().length;
const lanes = Array.from({ length: Math.max(1, Number(values.lanes) || Math.min(2, availableParallelism())) }, () => new Lane());
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    for (const lane of lanes) lane.end();
    process.exit(130);
  });
}
await Promise.all(
  lanes.map(async (lane) => {
    for (let group = groups.shift(); group; group = groups.shift()) await runGroup(lane, group);
    lane.end();
  }),
);
if (failures.length > 0) console.log(`\n${failures.map((line) => `  ${line}`).join('\n')}`);
console.log(`\n${dead} of ${count} mutants noticed, ${failures.length} not`);
process.exitCode = failures.length > 0 || count === 0 ? 1 : 0;
