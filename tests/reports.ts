/** The reports of vitest and Playwright in one form. */
import { readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';

export interface TestResult {
  /** From the root, with forward slashes. */
  file: string;
  /** Titles of the groups it stands in and its own. */
  name: string;
  passed: boolean;
  /** What the runner calls the outcome, e.g. `failed`, `skipped`, `flaky`. */
  status: string;
}

export interface Report {
  results: TestResult[];
  /** What went wrong outside any test, one line each. */
  errors: string[];
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

/** null when vitest wrote no report. */
export async function readNodeReport(root: string, path: string): Promise<Report | null> {
  const report = await readJson<VitestReport>(path);
  if (!report) return null;
  const results: TestResult[] = [];
  const errors: string[] = [];
  for (const { name, message, assertionResults } of report.testResults) {
    const file = fromRoot(root, name);
    if (assertionResults.length === 0 && message) errors.push(`${file} did not load: ${message.split('\n')[0]}`);
    for (const { fullName, status } of assertionResults) {
      results.push({ file, name: fullName, passed: status === 'passed', status });
    }
  }
  return { results, errors };
}

/** The projects of playwright.config.ts, and how many of their tests the test command runs at a time. */
export const BROWSER_PROJECTS = [
  ['beside', 2],
  ['alone', 1],
] as const;

export function browserReport(folder: string, project: string): string {
  return join(folder, `browser-${project}.json`);
}

/** Those of all projects as one; null when Playwright did not write each. */
export async function readBrowserReports(folder: string): Promise<Report | null> {
  const all: Report = { results: [], errors: [] };
  for (const [project] of BROWSER_PROJECTS) {
    const report = await readBrowserReport(browserReport(folder, project));
    if (!report) return null;
    all.results.push(...report.results);
    all.errors.push(...report.errors);
  }
  return all;
}

async function readBrowserReport(path: string): Promise<Report | null> {
  const report = await readJson<PlaywrightReport>(path);
  if (!report) return null;
  const results: TestResult[] = [];
  const walk = (suite: PlaywrightSuite, titles: string[], file: string): void => {
    for (const spec of suite.specs) {
      for (const { status } of spec.tests) {
        results.push({ file, name: [...titles, spec.title].join(' › '), passed: status === 'expected', status });
      }
    }
    for (const inner of suite.suites ?? []) walk(inner, [...titles, inner.title], file);
  };
  for (const suite of report.suites) walk(suite, [], `tests/browser/${suite.title}`);
  const errors = report.errors.map(({ message }) => `Playwright: ${message?.split('\n')[0] ?? 'unknown error'}`);
  return { results, errors };
}

export function fromRoot(root: string, file: string): string {
  return relative(root, file).split(sep).join('/');
}

async function readJson<T>(file: string): Promise<T | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as T;
  } catch {
    return null;
  }
}
