import { fileURLToPath } from 'node:url';
import type { LoadedTensor } from '../../src/weights/safetensors.ts';

/** A model folder of the committed goldens, e.g. `nvlm-d`. */
export function goldenFolder(name: string): string {
  return fileURLToPath(new URL(`../fixtures/goldens/${name}`, import.meta.url));
}

/** Largest difference as a share of the reference's largest absolute value; Infinity when anything is not a number. */
export function relativeError(values: Float32Array, reference: LoadedTensor): number {
  const expected = new Float32Array(reference.bytes.slice().buffer);
  if (values.length !== expected.length) return Infinity;
  let largest = 0;
  let difference = 0;
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]!));
    const d = Math.abs(values[i]! - expected[i]!);
    if (!(d <= difference)) difference = Number.isNaN(d) ? Infinity : d;
  }
  return difference / largest;
}
