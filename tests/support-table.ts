/**
 * The README's table of what works where, made from the reports of the test command.
 *
 * `npx tsx tests/support-table.ts` after `npm test` says whether the README's table is the tests' own; `--write` puts it there.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readBrowserReport, readNodeReport, type TestResult } from './reports.ts';

const PLACES = ['Node', 'Chromium'] as const;
type Place = (typeof PLACES)[number];

const BACKENDS = { webgpu: 'WebGPU (software adapter)', wasm: 'wasm', cpu: 'cpu' } as const;
type Backend = keyof typeof BACKENDS;

/** What is claimed, and which tests show it in which place. */
const CLAIMS: { claim: string; shown: Record<Place, (test: TestResult, backend: Backend) => boolean> }[] = [
  {
    claim: 'every op and its gradient equal the reference',
    shown: {
      Node: ({ file, name }, backend) => file.startsWith('src/ops/') && name.split(' ').includes(backend),
      Chromium: ({ file, name }, backend) => file.endsWith('ops.spec.ts') && name.includes(`on ${backend} in a worker`),
    },
  },
  {
    claim: 'NVLM-D, X and H compute what PyTorch computes',
    shown: {
      Node: ({ file, name }, backend) => file === 'tests/goldens/forward.test.ts' && name.includes(`forward on ${backend} nvlm-`),
      Chromium: ({ file, name }, backend) => file.endsWith('goldens.spec.ts') && name.includes(`computes on ${backend}`),
    },
  },
  {
    claim: 'NVLM-D, X and H give the answers that PyTorch gives',
    shown: {
      Node: ({ file, name }, backend) => file === 'tests/goldens/chat.test.ts' && name.includes(`chat on ${backend} `),
      Chromium: ({ file, name }, backend) => file.endsWith('goldens.spec.ts') && name.includes(`reference does on ${backend}`),
    },
  },
];

const START = '<!-- support table: made by tests/support-table.ts from the test reports -->';
const END = '<!-- end of support table -->';

function cell(tests: TestResult[]): string {
  if (tests.length === 0) return 'not tested';
  return tests.every(({ passed }) => passed) ? '✓' : '✗';
}

export function supportTable(node: TestResult[], browser: TestResult[]): string {
  const lines = [
    `| | ${CLAIMS.map(({ claim }) => claim).join(' | ')} |`,
    `|---|${CLAIMS.map(() => '---').join('|')}|`,
  ];
  for (const place of PLACES) {
    for (const backend of Object.keys(BACKENDS) as Backend[]) {
      const tests = place === 'Node' ? node : browser;
      const cells = CLAIMS.map(({ shown }) => cell(tests.filter((test) => shown[place](test, backend))));
      if (cells.some((text) => text !== 'not tested')) lines.push(`| ${place}, ${BACKENDS[backend]} | ${cells.join(' | ')} |`);
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
  const browser = await readBrowserReport(join(reports, 'browser.json'));
  if (!node || !browser) throw new Error('No test reports: run npm test first.');
  const path = join(root, 'README.md');
  const readme = await readFile(path, 'utf8');
  const wanted = withTable(readme, supportTable(node.results, browser.results));
  if (write && wanted !== readme) await writeFile(path, wanted);
  return write || wanted === readme;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const same = await checkSupportTable(fileURLToPath(new URL('../', import.meta.url)), process.argv.includes('--write'));
  if (!same) console.error('The support table in README.md is not what the tests say: npx tsx tests/support-table.ts --write');
  process.exitCode = same ? 0 : 1;
}
