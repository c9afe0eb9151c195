/**
 * The test command: types, the import rule, the tests in Node, the build, the tests in a browser. Ends with one line,
 * `N passed, N failed`. A test that was skipped, is left to do or did not run counts as failed: not run is not passed.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Outcome {
  passed: number;
  /** What failed, one line each. */
  failures: string[];
}

interface VitestReport {
  testResults: { name: string; status: string; message: string; assertionResults: { fullName: string; status: string }[] }[];
}

interface PlaywrightSuite {
  title: string;
  specs: { title: string; tests: { status: 'expected' | 'unexpected' | 'flaky' | 'skipped' }[] }[];
  suites?: PlaywrightSuite[];
}

interface PlaywrightReport {
  suites: PlaywrightSuite[];
  errors: { message?: string }[];
}

const root = fileURLToPath(new URL('../', import.meta.url));
const reports = join(root, 'test-results');
const stageLimitMinutes = 12;

const bin = {
  tsc: 'node_modules/typescript/bin/tsc',
  depcruise: 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs',
  vitest: 'node_modules/vitest/vitest.mjs',
  vite: 'node_modules/vite/bin/vite.js',
  playwright: 'node_modules/@playwright/test/cli.js',
};

/** Runs one of the project's tools with its output shown; its exit code. */
function tool(script: string, args: string[], env: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [script, ...args], {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env },
    });
    const limit = setTimeout(() => child.kill(), stageLimitMinutes * 60_000);
    child.on('error', () => resolve(1));
    child.on('exit', (code) => {
      clearTimeout(limit);
      resolve(code ?? 1);
    });
  });
}

async function check(name: string, script: string, args: string[]): Promise<Outcome> {
  return (await tool(script, args)) === 0 ? { passed: 1, failures: [] } : { passed: 0, failures: [name] };
}

async function build(): Promise<Outcome> {
  const site = await check('the site builds', bin.vite, ['build', '--logLevel', 'warn']);
  const harness = await check('the test harness builds', bin.vite, [
    'build',
    '--config',
    'tests/browser/harness/vite.config.ts',
    '--logLevel',
    'warn',
  ]);
  return { passed: site.passed + harness.passed, failures: [...site.failures, ...harness.failures] };
}

async function testInNode(): Promise<Outcome> {
  const file = join(reports, 'node.json');
  const code = await tool(bin.vitest, ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`]);
  const report = await readReport<VitestReport>(file);
  if (!report) return { passed: 0, failures: ['vitest wrote no report'] };

  let passed = 0;
  const failures: string[] = [];
  const filesRun = new Set<string>();
  for (const { name, message, assertionResults } of report.testResults) {
    const testFile = fromRoot(name);
    if (assertionResults.length > 0) filesRun.add(testFile);
    else if (message) failures.push(`${testFile} did not load: ${message.split('\n')[0]}`);
    for (const { fullName, status } of assertionResults) {
      if (status === 'passed') passed++;
      else failures.push(`${testFile} › ${fullName} (${status})`);
    }
  }
  for (const testFile of testFiles(/\.test\.tsx?$/)) {
    if (!filesRun.has(testFile)) failures.push(`${testFile} ran no test`);
  }
  if (code !== 0 && failures.length === 0) failures.push(`vitest ended with exit code ${code}`);
  return { passed, failures };
}

async function testInBrowser(): Promise<Outcome> {
  const file = join(reports, 'browser.json');
  const code = await tool(bin.playwright, ['test', '--reporter=list,json'], { PLAYWRIGHT_JSON_OUTPUT_FILE: file });
  const report = await readReport<PlaywrightReport>(file);
  if (!report) return { passed: 0, failures: ['Playwright wrote no report'] };

  let passed = 0;
  const failures = report.errors.map(({ message }) => `Playwright: ${message?.split('\n')[0] ?? 'unknown error'}`);
  const filesRun = new Set<string>();
  const walk = (suite: PlaywrightSuite, titles: string[], testFile: string): void => {
    for (const spec of suite.specs) {
      for (const { status } of spec.tests) {
        filesRun.add(testFile);
        if (status === 'expected') passed++;
        else failures.push(`${[...titles, spec.title].join(' › ')} (${status})`);
      }
    }
    for (const inner of suite.suites ?? []) walk(inner, [...titles, inner.title], testFile);
  };
  for (const suite of report.suites) walk(suite, [suite.title], `tests/browser/${suite.title}`);
  for (const testFile of testFiles(/\.spec\.ts$/)) {
    if (!filesRun.has(testFile)) failures.push(`${testFile} ran no test`);
  }
  if (code !== 0 && failures.length === 0) failures.push(`Playwright ended with exit code ${code}`);
  return { passed, failures };
}

async function readReport<T>(file: string): Promise<T | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as T;
  } catch {
    return null;
  }
}

function testFiles(pattern: RegExp): string[] {
  return ['src', 'workers', 'tests', 'bench', 'build'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && pattern.test(entry.name))
      .map((entry) => fromRoot(join(entry.parentPath, entry.name))),
  );
}

function fromRoot(file: string): string {
  return relative(root, file).split(sep).join('/');
}

const stages: [name: string, run: () => Promise<Outcome>][] = [
  ['Types', () => check('types', bin.tsc, ['--noEmit'])],
  ['Import rule', () => check('import rule', bin.depcruise, ['src', 'workers', 'tests', 'bench', 'build'])],
  ['Tests in Node', testInNode],
  ['Build', build],
  ['Tests in a browser', testInBrowser],
];

await rm(reports, { recursive: true, force: true });
await mkdir(reports, { recursive: true });
let passed = 0;
const failures: string[] = [];
for (const [name, run] of stages) {
  console.log(`\n── ${name}`);
  const start = performance.now();
  const outcome = await run();
  passed += outcome.passed;
  failures.push(...outcome.failures);
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  console.log(`── ${name}: ${outcome.passed} passed, ${outcome.failures.length} failed in ${seconds} s`);
}
if (failures.length > 0) console.log(`\nFailed:\n${failures.map((line) => `  ${line}`).join('\n')}`);
console.log(`\n${passed} passed, ${failures.length} failed`);
process.exitCode = failures.length > 0 || passed === 0 ? 1 : 0;
