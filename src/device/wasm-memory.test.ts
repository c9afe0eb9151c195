import * as tf from '@tensorflow/tfjs';
import { afterEach, expect, it } from 'vitest';
import { nodePlatform } from './node.ts';
import { openDevice } from './open-device.ts';
import type { Device } from './types.ts';
import { hasRoom, wasmModule } from './wasm-memory.ts';

let device: Device | undefined;
afterEach(() => device?.dispose());

const MB = 1e6;

it('tells whether blocks can be had at once within a bound, gaps considered, and takes none', async () => {
  device = await openDevice('wasm', nodePlatform());
  const wasm = wasmModule();
  const blocks = Array.from({ length: 8 }, () => wasm._malloc(10 * MB));
  const size = device.memoryBytes();
  // What growth left over at the end.
  const rest: number[] = [];
  while (hasRoom([MB], size)) {
    rest.push(wasm._malloc(MB));
    expect(rest.length * MB, 'taken of what was left over').toBeLessThan(size);
  }
  for (const [i, block] of blocks.entries()) if (i % 2 === 0) wasm._free(block);
  expect(hasRoom([9 * MB, 9 * MB, 9 * MB, 9 * MB], size)).toBe(true);
  expect(hasRoom([20 * MB], size)).toBe(false);
  expect(device.memoryBytes()).toBe(size);
  expect(hasRoom([20 * MB], size + 25 * MB)).toBe(true);
  expect(device.memoryBytes()).toBeLessThanOrEqual(size + 25 * MB);
  // Others may grow it as ever.
  const large = tf.ones([100, MB]);
  expect(device.memoryBytes()).toBeGreaterThan(400 * MB);
  large.dispose();
  for (const pointer of [...rest, ...blocks.filter((_, i) => i % 2 === 1)]) wasm._free(pointer);
});
