/**
 * WGSL statements for i = 0 … count − 1, one a line. Written out rather than looped over, because what they index is
 * held in registers only when every index is a constant.
 */
export function unroll(count: number, statement: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => statement(i)).join('\n');
}
