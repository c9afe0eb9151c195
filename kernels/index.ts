/**
 * The kernels of the wasm backend: AssemblyScript, compiled by `npx tsx build/wasm-kernels.ts` into
 * src/device/wasm-kernels-bytes.ts. They work in the memory of tfjs's own wasm module: every `usize` is an address there. They
 * allocate nothing and hold no static data, for that memory is not theirs; what they need besides their operands is in `scratch`,
 * which the caller gives.
 */
export { adamW } from './adamw';
export { attend, attendBlocks, attendGradient, attendGradientScratch, attendScratch } from './attention';
// Those of pairs are only called from there, but as functions of their own, for V8 has too few registers for all loops in one.
export { attendFewRows, attendFewRowsScratch, attendPairs, mixPair, scorePair } from './decode-attention';
export { embed } from './embed';
export { gelu, geluGradient, geluTanh, geluTanhGradient, swiglu, swigluGateGradient } from './activations';
export { halvesOfBfloats, largestMagnitude } from './halves';
export { multiply, multiplyScratch } from './gemm';
export { makeRowsReady, multiplyFewRows, multiplyFewRowsF32, multiplyFewRowsScratch } from './few-rows';
export { columnSums, layerNorm, rmsNorm, rmsNormGradient } from './norms';
export { rope } from './rope';
