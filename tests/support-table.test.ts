import { describe, expect, it } from 'vitest';
import type { TestResult } from './reports.ts';
import { supportTable, withTable } from './support-table.ts';

const test = (file: string, name: string, passed = true): TestResult => ({ file, name, passed, status: passed ? 'passed' : 'failed' });

describe('supportTable', () => {
  it('claims what tests have shown, and nothing for what none has', () => {
    const table = supportTable(
      [
        test('src/ops/linear/linear.test.ts', 'wasm 3 rows'),
        test('src/ops/linear/linear.test.ts', 'webgpu 3 rows', false),
        test('tests/goldens/forward.test.ts', 'forward on wasm nvlm-d equals the reference'),
      ],
      [test('tests/browser/goldens.spec.ts', 'nvlm-x answers as the reference does on wasm')],
    );
    const rows = table.split('\n').slice(2);
    expect(rows).toEqual([
      '| Node, WebGPU (software GPU adapter) | ✗ | not tested | not tested |',
      '| Node, wasm | ✓ | ✓ | not tested |',
      '| Chromium, wasm | not tested | not tested | ✓ |',
    ]);
  });

  it('keeps the rows of browsers that are not on this machine, and makes those of the ones that are', () => {
    const before = '| Firefox, WebGPU (software GPU adapter) | ✓ | ✓ | ✓ |\n| Firefox, wasm | ✗ | ✗ | ✗ |\n| Node, cpu | ✓ | ✓ | ✓ |';
    const results = ['every op equals its reference on wasm', 'on wasm nvlm-d computes and answers as the reference does'].map((name) =>
      test('tests/other-browsers/firefox.suite.ts', `Firefox ${name}`),
    );
    expect(supportTable([], [], results, before).split('\n').slice(2)).toEqual([
      '| Firefox, WebGPU (software GPU adapter) | ✓ | ✓ | ✓ |',
      '| Firefox, wasm | ✓ | ✓ | ✓ |',
    ]);
  });
});

describe('withTable', () => {
  it('replaces what stands between the marks and nothing else', () => {
    const marks = ['<!-- support table: made by tests/support-table.ts from the test reports -->', '<!-- end of support table -->'];
    const readme = `before\n${marks[0]}\nold\n${marks[1]}\nafter`;
    expect(withTable(readme, 'new')).toBe(`before\n${marks[0]}\n\nnew\n\n${marks[1]}\nafter`);
    expect(() => withTable('nothing', 'new')).toThrow('README');
  });
});
