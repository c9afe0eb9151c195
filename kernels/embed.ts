import { F32, rowBytes, unpackRow } from './formats';

/**
 * out [rows, width]: the row `slots[r]` of `visual` where that is 0 or more, else the row `ids[r]` of the table, unpacked.
 * `slots` and `visual` may be 0: then there is text only.
 */
export function embed(
  format: i32,
  table: usize,
  scales: usize,
  biases: usize,
  groupSize: i32,
  ids: usize,
  slots: usize,
  visual: usize,
  out: usize,
  rows: i32,
  width: i32,
): void {
  const stride = rowBytes(format, width);
  const groupStride = <usize>(width / groupSize) << 2;
  const bytes = <usize>width << 2;
  for (let r = 0; r < rows; r++, out += bytes) {
    const at = <usize>r << 2;
    const slot = slots == 0 ? -1 : load<i32>(slots + at);
    const id = <usize>load<i32>(ids + at);
    if (slot >= 0) memory.copy(out, visual + <usize>slot * bytes, bytes);
    else if (format == F32) memory.copy(out, table + id * bytes, bytes);
    else unpackRow(format, table + id * stride, scales + id * groupStride, biases + id * groupStride, groupSize, 0, width, out);
  }
}
