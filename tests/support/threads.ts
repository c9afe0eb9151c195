import { wasmPool } from '../../src/device/wasm-kernels.ts';
import { opCases } from '../../src/ops/cases.ts';
import { evaluate } from '../../src/ops/verify.ts';

/** Bits of results and gradients. */
const bitsOf = (values: Float32Array[]) => values.map(({ buffer }) => new Uint32Array(buffer).join());

/**
 * Runs every op case on one thread and on all of them, calls cut however small they are.
 * @returns the cases whose results or gradients differ in any bit
 */
export async function casesThatDifferOnThreads(): Promise<string[]> {
  const pool = wasmPool()!;
  const { leastWork } = pool;
  const differ: string[] = [];
  pool.leastWork = 0;
  for (const opCase of opCases) {
    if (opCase.onlyOn) continue;
    const results: string[][] = [];
    for (const most of [1, Infinity]) {
      pool.mostUsed = most;
      const { output, gradients } = await evaluate(opCase, opCase.run);
      results.push(bitsOf([output, ...gradients]));
    }
    if (results[0]!.join() !== results[1]!.join()) differ.push(`${opCase.op}: ${opCase.case}`);
  }
  pool.leastWork = leastWork;
  return differ;
}
