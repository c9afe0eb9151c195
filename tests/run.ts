/**
 * The test command: types, the linter, the formatter, the import rule, the tests in Node, the build, the tests in a browser, a
 * suite in Firefox and WebKit where they are installed, the README's support table.
 * Ends with one line, `N passed, N failed`. A test that was skipped, is left to do or did not run counts as failed: not run is
 * not passed.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BROWSER_PROJECTS, browserReport, fromRoot, readBrowserReports, readNodeReport, type Report } from './reports.ts';
import { findFirefox } from './other-browsers/firefox.ts';
import { findWebKit } from './other-browsers/webkit.ts';
import { checkSupportTable } from './support-table.ts';

interface Outcome {
  passed: number;
  /** What failed, one line each. */
  failures: string[];
}

const root = fileURLToPath(new URL('../', import.meta.url));
const reports = join(root, 'test-results');
const stageLimitMinutes = 30;

const bin = {
  tsc: 'node_modules/typescript/bin/tsc',
  biome: 'node_modules/@biomejs/biome/bin/biome',
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
  return outcomeOf('vitest', code, await readNodeReport(root, file), testFiles(/\.test\.tsx?$/));
}

/** The projects of playwright.config.ts one after the other, each with as many tests at a time as it bears. */
async function testInBrowser(): Promise<Outcome> {
  const codes: number[] = [];
  for (const [project, workers] of BROWSER_PROJECTS) {
    const args = ['test', '--project', project, '--workers', String(workers), '--reporter=list,json'];
    codes.push(await tool(bin.playwright, args, { PLAYWRIGHT_JSON_OUTPUT_FILE: browserReport(reports, project) }));
  }
  return outcomeOf('Playwright', Math.max(...codes), await readBrowserReports(reports), testFiles(/\.spec\.ts$/));
}

/** The suites of the browsers that are installed; where none is, nothing is missing. */
async function testInOtherBrowsers(): Promise<Outcome> {
  const suites = [findFirefox() && 'firefox', findWebKit() && 'webkit'].filter((name) => name !== null);
  if (suites.length === 0) {
    console.log('Neither Firefox nor WebKitGTK is installed here.');
    return { passed: 0, failures: [] };
  }
  const file = join(reports, 'other-browsers.json');
  const files = suites.map((name) => `tests/other-browsers/${name}.suite.ts`);
  const args = ['run', '--config', 'tests/other-browsers/vitest.config.ts', ...files];
  const code = await tool(bin.vitest, [...args, '--reporter=default', '--reporter=json', `--outputFile.json=${file}`]);
  return outcomeOf('vitest', code, await readNodeReport(root, file), files);
}

/** Every test of every test file must have run and passed. */
function outcomeOf(runner: string, code: number, report: Report | null, files: string[]): Outcome {
  if (!report) return { passed: 0, failures: [`${runner} wrote no report`] };
  const failures = [...report.errors];
  for (const { file, name, passed, status } of report.results) if (!passed) failures.push(`${file} › ${name} (${status})`);
  const filesRun = new Set(report.results.map(({ file }) => file));
  for (const file of files) if (!filesRun.has(file)) failures.push(`${file} ran no test`);
  if (code !== 0 && failures.length === 0) failures.push(`${runner} ended with exit code ${code}`);
  return { passed: report.results.filter(({ passed }) => passed).length, failures };
}

async function testReadme(): Promise<Outcome> {
  if (await checkSupportTable(root)) return { passed: 1, failures: [] };
  return { passed: 0, failures: ["the README's support table is not what the tests say (npx tsx tests/support-table.ts --write)"] };
}

function testFiles(pattern: RegExp): string[] {
  return ['src', 'workers', 'tests', 'bench', 'build'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && pattern.test(entry.name))
      .map((entry) => fromRoot(root, join(entry.parentPath, entry.name))),
  );
}

const stages: [name: string, run: () => Promise<Outcome>][] = [
  ['Types', () => check('types', bin.tsc, ['--noEmit'])],
  ['Linter', () => check('linter', bin.biome, ['lint', '--error-on-warnings', '.'])],
  ['Formatter', () => check('formatter', bin.biome, ['format', '.'])],
  ['Import rule', () => check('import rule', bin.depcruise, ['src', 'workers', 'tests', 'bench', 'build'])],
  ['Tests in Node', testInNode],
  ['Build', build],
  ['Tests in a browser', testInBrowser],
  ['Tests in Firefox and WebKit', testInOtherBrowsers],
  ['Support table', testReadme],
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
