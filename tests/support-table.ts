/**
 * The README's table of what works where, made from the reports of the test command.
 *
 * `npx tsx tests/support-table.ts` after `npm test` says whether the README's table is the tests' own; `--write` puts it there.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readBrowserReports, readNodeReport, type TestResult } from './reports.ts';

const PLACES = ['Node', 'Chromium', 'Firefox', 'WebKit'] as const;
type Place = (typeof PLACES)[number];

const BACKENDS = { webgpu: 'WebGPU (software GPU adapter)', wasm: 'wasm', cpu: 'cpu' } as const;
type Backend = keyof typeof BACKENDS;

type Shows = (test: TestResult, backend: Backend) => boolean;

const inSuite =
  (place: Place, words: (backend: Backend) => string): Shows =>
  ({ name }, backend) =>
    name.startsWith(`${place} `) && name.includes(words(backend));
const opsIn = (place: Place) => inSuite(place, (backend) => `every op equals its reference on ${backend}`);
const modelsIn = (place: Place) => inSuite(place, (backend) => `on ${backend} nvlm-`);

/** What is claimed, and which tests show it in which place. */
const CLAIMS: { claim: string; shown: Record<Place, Shows> }[] = [
  {
    claim: 'every op and its gradient equal the reference',
    shown: {
      Node: ({ file, name }, backend) => file.startsWith('src/ops/') && name.split(' ').includes(backend),
      Chromium: ({ file, name }, backend) => file.endsWith('ops.spec.ts') && name.includes(`on ${backend} in a worker`),
      Firefox: opsIn('Firefox'),
      WebKit: opsIn('WebKit'),
    },
  },
  {
    claim: 'NVLM-D, X and H compute what PyTorch computes',
    shown: {
      Node: ({ file, name }, backend) => file === 'tests/goldens/forward.test.ts' && name.includes(`forward on ${backend} nvlm-`),
      Chromium: ({ file, name }, backend) => file.endsWith('goldens.spec.ts') && name.includes(`computes on ${backend}`),
      Firefox: modelsIn('Firefox'),
      WebKit: modelsIn('WebKit'),
    },
  },
  {
    claim: 'NVLM-D, X and H give the answers that PyTorch gives',
    shown: {
      Node: ({ file, name }, backend) => file === 'tests/goldens/chat.test.ts' && name.includes(`chat on ${backend} `),
      Chromium: ({ file, name }, backend) => file.endsWith('goldens.spec.ts') && name.includes(`reference does on ${backend}`),
      Firefox: modelsIn('Firefox'),
      WebKit: modelsIn('WebKit'),
    },
  },
];

/** Of browsers that not every machine has: their rows stay as they are where they were not tested. */
const ELSEWHERE: readonly Place[] = ['Firefox', 'WebKit'];

const START = '<!-- support table: made by tests/support-table.ts from the test reports -->';
const END = '<!-- end of support table -->';

function cell(tests: TestResult[]): string {
  if (tests.length === 0) return 'not tested';
  return tests.every(({ passed }) => passed) ? '✓' : '✗';
}

/**
 * @param others results of the suites in other browsers
 * @param before the README as it is, for the rows of browsers that were not tested here
 */
export function supportTable(node: TestResult[], browser: TestResult[], others: TestResult[] = [], before = ''): string {
  const lines = [`| | ${CLAIMS.map(({ claim }) => claim).join(' | ')} |`, `|---|${CLAIMS.map(() => '---').join('|')}|`];
  for (const place of PLACES) {
    for (const backend of Object.keys(BACKENDS) as Backend[]) {
      const tests = { Node: node, Chromium: browser, Firefox: others, WebKit: others }[place];
      const cells = CLAIMS.map(({ shown }) => cell(tests.filter((test) => shown[place](test, backend))));
      const row = `| ${place}, ${BACKENDS[backend]} | `;
      if (cells.some((text) => text !== 'not tested')) lines.push(`${row}${cells.join(' | ')} |`);
      else if (ELSEWHERE.includes(place)) lines.push(...before.split('\n').filter((line) => line.startsWith(row)));
    }
  }
  return lines.join('\n');
}

/** Puts the table between its two marks. @throws Error when the README has no such place */
export function withTable(readme: string, table: string): string {
  const from = readme.indexOf(START);
  const to = readme.indexOf(END);
  if (from < 0 || to < from) throw new Error('README.md has no place for the support table.');
  return `${readme.slice(0, from + START.length)}\n\n${table}\n\n${readme.slice(to)}`;
}

/** True when the README's table is what the reports say; with `write`, makes it so. */
export async function checkSupportTable(root: string, write = false): Promise<boolean> {
  const reports = join(root, 'test-results');
  const node = await readNodeReport(root, join(reports, 'node.json'));
  const browser = await readBrowserReports(reports);
  if (!node || !browser) throw new Error('No test reports: run npm test first.');
  const path = join(root, 'README.md');
  const readme = await readFile(path, 'utf8');
  const others = await readNodeReport(root, join(reports, 'other-browsers.json'));
  const wanted = withTable(readme, supportTable(node.results, browser.results, others?.results, readme));
  if (write && wanted !== readme) await writeFile(path, wanted);
  return write || wanted === readme;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const same = await checkSupportTable(fileURLToPath(new URL('../', import.meta.url)), process.argv.includes('--write'));
  if (!same) console.error('The support table in README.md is not what the tests say: npx tsx tests/support-table.ts --write');
  process.exitCode = same ? 0 : 1;
}
