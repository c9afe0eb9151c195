import { expect, test } from 'vitest';
import { hoistDirectives } from './hoist-directives.ts';

test('puts directives first, each once, and keeps the rest', () => {
  const wgsl = 'var<private> a: u32;\n  enable f16;\nfn f() {}\nenable subgroups;\nenable f16;\ndiagnostic(off, derivative_uniformity);\n';
  const lines = hoistDirectives(wgsl).split('\n');
  expect(lines.slice(0, 3)).toEqual(['enable f16;', 'enable subgroups;', 'diagnostic(off, derivative_uniformity);']);
  expect(lines.slice(3).join('\n')).not.toContain('enable');
  expect(lines).toContain('fn f() {}');
});

test('leaves names and comments alone', () => {
  const wgsl = '// enable f16;\nvar enableIt = 1;\nlet x = enabled;\n';
  expect(hoistDirectives(wgsl)).toBe(wgsl);
});
