/** Words, scales and biases of quantised rows; the layout is MLX's affine one. */
export interface QuantizedRows {
  /** [rows, columns · bits / 32], the first number in the lowest bits */
  words: Int32Array;
  /** [rows, columns / groupSize] f32 */
  scales: Float32Array;
  biases: Float32Array;
}

const LEAST_SCALE = 1e-7;

/** Room for a matrix of this size. */
export function quantizedRows(rows: number, columns: number, bits: number, groupSize: number): QuantizedRows {
  const groups = (rows * columns) / groupSize;
  return {
    words: new Int32Array((rows * columns * bits) / 32),
    scales: new Float32Array(groups),
    biases: new Float32Array(groups),
  };
}

/**
 * Quantises whole groups into `out` as MLX's `affine_quantize` does: scale = (max − min) / (2^bits − 1), negative when
 * the end farther from zero is the maximum; then adjusted so that this end and zero are both exact; q = round((w − bias)
 * / scale), halves to even, within 0 … 2^bits − 1. MLX rounds scales and biases to the checkpoint's element type; they
 * stay f32 here.
 *
 * @param values f32, whole groups
 * @param firstGroup where they belong
 * @param round to the element type that scales and biases will be stored in, so that q is found with what readers see
 */
export function quantizeGroups(
  values: Float32Array,
  bits: number,
  groupSize: number,
  out: QuantizedRows,
  firstGroup: number,
  round: (value: number) => number = Math.fround,
): void {
  const most = 2 ** bits - 1;
  const perWord = 32 / bits;
  for (let start = 0, group = firstGroup; start < values.length; start += groupSize, group++) {
    let low = Infinity;
    let high = -Infinity;
    for (let i = start; i < start + groupSize; i++) {
      const value = values[i]!;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    let scale = Math.max((high - low) / most, LEAST_SCALE);
    const lowIsEdge = Math.abs(low) > Math.abs(high);
    if (!lowIsEdge) scale = -scale;
    const edge = lowIsEdge ? low : high;
    const steps = roundToEven(edge / scale);
    if (steps !== 0) scale = edge / steps;
    scale = round(scale);
    const bias = steps === 0 ? 0 : round(edge);
    out.scales[group] = scale;
    out.biases[group] = bias;
    for (let i = 0, word = (group * groupSize) / perWord; i < groupSize; i += perWord, word++) {
      let packed = 0;
      for (let j = 0; j < perWord; j++) {
        const q = roundToEven((values[start + i + j]! - bias) / scale);
        packed |= Math.min(most, Math.max(0, q)) << (j * bits);
      }
      out.words[word] = packed;
    }
  }
}

function roundToEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
