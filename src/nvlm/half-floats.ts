import { relaxedSimdKernels, simdKernels } from '../device/wasm-kernels-bytes.ts';
import { areFiniteHalves, bf16ToF16, BFLOAT_BEYOND_HALF, type HalfFit, wordsOf } from '../weights/dtype.ts';

interface Converter {
  memory: WebAssembly.Memory;
  halvesOfBfloats(at: number, count: number): number;
  largestMagnitude(at: number, count: number): number;
}

const PAGE_BYTES = 65536;
/** From here on a half, and a bfloat16, is not finite. */
const INFINITE_HALF = 0x7c00;
const INFINITE_BFLOAT = 0x7f80;

let converter: Converter | null | undefined;

/** The kernels in a memory of their own, which any backend's weights go through; null without SIMD. */
function startConverter(): Converter | null {
  for (const text of [relaxedSimdKernels, simdKernels]) {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    if (!WebAssembly.validate(bytes)) continue;
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
    return { ...(exports as unknown as Omit<Converter, 'memory'>), memory };
  }
  return null;
}

/**
 * bf16 or f16 values of a file as halves, at ten times the speed of a loop of JavaScript.
 *
 * @param bytes little-endian, at any offset
 * @returns `halves`, valid until the next call: exact but for bfloat16 below 2⁻¹⁴, which are rounded to nearest even, and those that
 * are `too large`
 */
export function halvesOf(dtype: 'BF16' | 'F16', bytes: Uint8Array): { halves: Uint16Array; found: HalfFit } {
  converter ??= startConverter();
  if (!converter) return halvesWithoutWasm(dtype, bytes);
  const { memory } = converter;
  const missing = bytes.length - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
  new Uint8Array(memory.buffer).set(bytes);
  const halves = new Uint16Array(memory.buffer, 0, bytes.length >> 1);
  if (dtype === 'F16') {
    return { halves, found: converter.largestMagnitude(0, halves.length) < INFINITE_HALF ? 'finite' : 'not finite' };
  }
  const largest = converter.halvesOfBfloats(0, halves.length);
  return { halves, found: largest >= INFINITE_BFLOAT ? 'not finite' : largest >= BFLOAT_BEYOND_HALF ? 'too large' : 'finite' };
}

/** The same without SIMD. */
export function halvesWithoutWasm(dtype: 'BF16' | 'F16', bytes: Uint8Array): { halves: Uint16Array; found: HalfFit } {
  const words = wordsOf(bytes);
  if (dtype === 'F16') return { halves: words, found: areFiniteHalves(words) ? 'finite' : 'not finite' };
  const halves = new Uint16Array(words.length);
  const found = bf16ToF16(words, halves);
  return { halves, found };
}

/** Gives the memory back that the values of a model went through. */
export function releaseHalves(): void {
  converter = undefined;
}
