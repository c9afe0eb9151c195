/**
 * Which of `values` to draw when there are more than a screen has columns: of each stretch its lowest and its highest,
 * so that no spike is lost, and every index in `keep`.
 *
 * @returns indices in order, at most 2 a stretch and those of `keep`
 */
export function decimate(values: ArrayLike<number>, stretches: number, keep: Iterable<number> = []): number[] {
  const { length } = values;
  if (length <= 2 * stretches) return Array.from({ length }, (_, i) => i);
  const chosen = new Set<number>([0, length - 1, ...keep]);
  for (let stretch = 0; stretch < stretches; stretch++) {
    const start = Math.floor((stretch * length) / stretches);
    const end = Math.floor(((stretch + 1) * length) / stretches);
    let low = start;
    let high = start;
    for (let i = start + 1; i < end; i++) {
      if (values[i]! < values[low]!) low = i;
      if (values[i]! > values[high]!) high = i;
    }
    chosen.add(low).add(high);
  }
  return [...chosen].sort((a, b) => a - b);
}
