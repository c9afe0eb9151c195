/** How one call of a kernel is cut between threads, none of which then writes what another one reads or writes otherwise. */
export interface Split {
  /** Rows, heads, blocks of columns: no sum goes over two of them, so results are the same bits however they are cut. */
  units: number;
  /** About how many products of two numbers the call is. */
  work: number;
  /** Pieces are cut at multiples of so many units: whole cache lines of results, and whole vectors. */
  grain?: number;
  /** By how much the operands grow with every unit, those that do. */
  growth?: Record<number, number>;
  /** Which operand is the number of units; for a kernel that takes a range of them itself it stands behind the others, after the first. */
  count?: number;
  /** Bytes that each thread needs for itself; their address is the kernel's last operand. */
  scratchBytes?: number;
}

/** What the kernels' module says of its needs: bytes of scratch memory, and how many units there are. */
export type KernelSizes = Record<
  'attendBlocks' | 'attendPairs' | 'attendScratch' | 'attendFewRowsScratch' | 'attendGradientScratch' | 'multiplyScratch',
  (...sizes: number[]) => number
>;

export type Rule = (run: KernelSizes, ...operands: number[]) => Split;

const FLOAT = 4;
/** What one element of an activation or one of AdamW costs, in products. */
const ACTIVATION = 8;
const ADAMW_STEP = 16;

/** An activation of `tensors` tensors, the result among them, which come first. */
function elements(tensors: number, cost = ACTIVATION): Rule {
  const growth = Object.fromEntries(Array.from({ length: tensors }, (_, i) => [i, FLOAT]));
  return (_run, ...operands) => ({ units: operands[tensors]!, work: cost * operands[tensors]!, grain: 64, growth, count: tensors });
}

/** Query rows of one block, as in kernels/attention.ts. */
const attendWork = (batch: number, rows: number, keys: number, heads: number, dim: number) => 2 * batch * rows * keys * heads * dim;

/**
 * Kernels that are cut, by their operands. In what lies in them a unit is written by one thread alone, or twice the same: the last four
 * results of a product of few rows overlap those before them.
 */
export const SPLITS = {
  multiply: (run, ...operands) => {
    const [aTransposed, m, n, k] = [operands[1]!, operands[10]!, operands[11]!, operands[12]!];
    return { units: Math.ceil(n / 8), work: m * n * k, grain: 2, scratchBytes: run.multiplyScratch(aTransposed, m, k) };
  },
  multiplyFewRows: (_run, ...operands) => {
    const [fours, , rows, k] = operands.slice(3) as [number, number, number, number];
    return { units: fours, work: 4 * fours * rows * k, grain: 4 };
  },
  multiplyFewRowsF32: (_run, ...operands) => {
    const [rows, n, k] = operands.slice(4) as [number, number, number];
    return { units: Math.ceil(n / 4), work: rows * n * k, grain: 16 };
  },
  attend: (run, ...operands) => {
    const [batch, rows, keys, heads, , dim] = operands.slice(4) as [number, number, number, number, number, number];
    const units = batch * heads * run.attendBlocks(rows);
    return { units, work: attendWork(batch, rows, keys, heads, dim), scratchBytes: run.attendScratch(keys) };
  },
  attendFewRows: (run, ...operands) => {
    const [batch, rows, keys, heads, kvHeads, dim] = operands.slice(4) as [number, number, number, number, number, number];
    const scratchBytes = run.attendFewRowsScratch(keys, heads);
    return { units: run.attendPairs(heads, kvHeads), work: attendWork(batch, rows, keys, heads, dim), scratchBytes };
  },
  attendGradient: (run, ...operands) => {
    const [batch, rows, keys, heads, kvHeads, dim] = operands.slice(7) as [number, number, number, number, number, number];
    return { units: batch * kvHeads, work: 3 * attendWork(batch, rows, keys, heads, dim), scratchBytes: run.attendGradientScratch(keys) };
  },
  rmsNorm: (_run, ...operands) => {
    const [rows, width] = operands.slice(3) as [number, number];
    return { units: rows, work: 4 * rows * width, growth: { 0: FLOAT * width, 2: FLOAT * width }, count: 3 };
  },
  rmsNormGradient: (_run, ...operands) => {
    const [dWeight, rows, width] = operands.slice(4) as [number, number, number];
    const bytes = FLOAT * width;
    // The gradient of the weight is a sum over the rows.
    return { units: dWeight === 0 ? rows : 1, work: 8 * rows * width, growth: { 0: bytes, 1: bytes, 3: bytes }, count: 5 };
  },
  layerNorm: (_run, ...operands) => {
    const [rows, width] = operands.slice(4) as [number, number];
    return { units: rows, work: 6 * rows * width, growth: { 0: FLOAT * width, 3: FLOAT * width }, count: 4 };
  },
  rope: (_run, ...operands) => {
    const [rows, heads, half] = operands.slice(3) as [number, number, number];
    const bytes = 2 * FLOAT * heads * half;
    return { units: rows, work: 6 * rows * heads * half, growth: { 0: bytes, 1: 2 * FLOAT * half, 2: bytes }, count: 3 };
  },
  gelu: elements(2),
  geluGradient: elements(3),
  geluTanh: elements(2),
  geluTanhGradient: elements(3),
  swiglu: elements(3),
  swigluGateGradient: elements(4),
  adamW: elements(4, ADAMW_STEP),
} satisfies Record<string, Rule>;

export type SplitKernel = keyof typeof SPLITS;
