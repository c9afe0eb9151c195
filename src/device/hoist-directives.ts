const directive = /^[ \t]*(?:(?:enable|requires)\s[^;]*;|diagnostic\s*\([^;]*;)/gm;

/**
 * Moves WGSL directives (`enable f16;`, `enable subgroups;` …) to the top of the shader, each once. WGSL wants them before any
 * declaration, but tfjs puts its own declarations before a program's code.
 */
export function hoistDirectives(wgsl: string): string {
  const found = new Set<string>();
  const rest = wgsl.replace(directive, (line) => {
    found.add(line.trim());
    return '';
  });
  return found.size === 0 ? wgsl : `${[...found].join('\n')}\n${rest}`;
}
