/**
 * One lane of the mutation gate: a process with a copy of the project and one vitest, which runs the tests of one mutant after the
 * other. The working tree is never touched. Started by ./run.ts, which ends it with its whole process group.
 */
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createVitest, type TestModule } from 'vitest/node';
import { mutate, type Mutant } from './mutants.ts';

/** To the lane: run these tests with the fault in its place, or with none in any. */
export interface LaneTask {
  mutant: Mutant;
  plain: boolean;
}

/** From the lane. */
export interface LaneResult {
  passed: number;
  /** Names of tests that failed, one when the run ended at the first. */
  failed: string[];
  /** What kept tests from running at all. */
  broken: string[];
}

const root = fileURLToPath(new URL('../../', import.meta.url));
const copy = process.argv[2]!;

/** Only read, and large. */
const LINKED = ['node_modules', 'public', '.cache'];
const LEFT_OUT = ['.git', 'dist', 'test-results'];

/** Everything else is copied, for mutants and imports stay inside. */
async function makeCopy(): Promise<void> {
  await mkdir(join(root, '.cache'), { recursive: true });
  for (const name of await readdir(root)) {
    if (LEFT_OUT.includes(name)) continue;
    if (LINKED.includes(name)) await symlink(join(root, name), join(copy, name));
    else await cp(join(root, name), join(copy, name), { recursive: true });
  }
}

await makeCopy();
process.chdir(copy);
const vitest = await createVitest('test', { root: copy, watch: false, reporters: [{}], bail: 1, maxWorkers: 1 });

async function run({ mutant, plain }: LaneTask): Promise<LaneResult> {
  const file = join(copy, mutant.file);
  const source = await readFile(file, 'utf8');
  if (!plain) await put(file, mutate(source, mutant));
  try {
    if (mutant.only) vitest.setGlobalTestNamePattern(mutant.only);
    else vitest.resetGlobalTestNamePattern();
    const specifications = mutant.tests.map((test) => vitest.getRootProject().createSpecification(join(copy, test)));
    const { testModules, unhandledErrors } = await vitest.runTestSpecifications(specifications);
    const own = new Set(specifications.map(({ moduleId }) => moduleId));
    return resultOf(
      testModules.filter(({ moduleId }) => own.has(moduleId)),
      unhandledErrors,
    );
  } finally {
    if (!plain) await put(file, source);
  }
}

async function put(file: string, text: string): Promise<void> {
  await writeFile(file, text);
  vitest.invalidateFile(file);
}

/** On a busy machine any test may run out of time: that shows nothing. */
const TIMED_OUT = /timed out in \d+\s?ms/;

function resultOf(modules: TestModule[], unhandled: unknown[]): LaneResult {
  const tests = modules.flatMap((module) => [...module.children.allTests()]);
  const suites = modules.flatMap((module) => [module, ...module.children.allSuites()]);
  const failed = tests.filter((test) => test.result().state === 'failed');
  const timedOut = failed.filter((test) => test.result().errors?.some(({ message }) => TIMED_OUT.test(message)));
  return {
    passed: tests.filter((test) => test.result().state === 'passed').length,
    failed: failed.filter((test) => !timedOut.includes(test)).map(({ fullName }) => fullName),
    broken: [
      ...timedOut.map(({ fullName }) => `${fullName} ran out of time`),
      ...suites.flatMap((suite) => suite.errors().map(({ message }) => message)),
      ...unhandled.map(String),
    ],
  };
}

process.on('message', (task: LaneTask) => {
  run(task).then(
    (result) => process.send!(result),
    (error: unknown) => process.send!({ passed: 0, failed: [], broken: [String(error)] } satisfies LaneResult),
  );
});
process.on('disconnect', () => process.exit());
process.send!('ready');
