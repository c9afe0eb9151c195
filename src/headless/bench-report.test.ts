import { expect, test } from 'vitest';
import { makeReports } from './bench-report.ts';

test('a report names what was measured, on what, and of which commit', () => {
  const [report] = makeReports([{ name: 'x', adapter: null, backend: 'wasm', unit: 'ms', samples: [2, 1, 3] }]);
  expect(report).toMatchObject({ name: 'x', backend: 'wasm', median: 2, samples: [2, 1, 3], unit: 'ms' });
  // Outside a checkout there is no commit to name.
  expect(report!.commit ?? '0'.repeat(40)).toMatch(/^[0-9a-f]{40}(-dirty)?$/);
  expect(report!.runtime).toBe(`Node.js ${process.versions.node}`);
});
