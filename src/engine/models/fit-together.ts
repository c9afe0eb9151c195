import type { MemoryPlan } from '../api.ts';

/** A 32-bit address space, of which a part goes to what is free in pieces. */
const WASM_BYTES = 0.75 * 2 ** 32;
/** WebGPU does not say what an adapter has, and a heap of JavaScript is limited too: less than this is there nearly everywhere. */
const USUAL_BYTES = 2 ** 30;

export interface Together {
  /** All of them in memory, one of them answering. */
  bytes: number;
  /** The largest by itself. */
  mostAlone: number;
  /** What they may take together here. */
  limit: number;
  fits: boolean;
}

/** Whether models can stay in memory beside each other on the device that the plans were made for: weights and caches of all, activations of one. */
export function fitTogether(plans: readonly Pick<MemoryPlan, 'backend' | 'bytes' | 'verdict'>[]): Together {
  const most = (of: (bytes: MemoryPlan['bytes']) => number) => Math.max(0, ...plans.map(({ bytes }) => of(bytes)));
  const bytes = plans.reduce((sum, { bytes: { weights, kvCache } }) => sum + weights + kvCache, 0) + most(({ activations }) => activations);
  const limit = plans[0]?.backend === 'wasm' ? WASM_BYTES : USUAL_BYTES;
  return { bytes, mostAlone: most(({ total }) => total), limit, fits: plans.every(({ verdict }) => verdict === 'fits') && bytes <= limit };
}
