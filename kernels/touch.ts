let touched: i32 = 0;

/**
 * Reads a word of every cache line in [from, end), one right after the other. A core waits for memory only with as much as it looks
 * ahead, which is a few lines of a product that computes between its reads, but dozens of these: several times the bandwidth.
 */
export function touch(from: usize, end: usize): void {
  let all = 0;
  for (let at = from; at + 4 <= end; at += 64) all |= load<i32>(at);
  // Somebody could look, so the reads are not left out.
  touched = all;
}
