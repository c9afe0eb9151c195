import { expect, test } from 'vitest';
import { nodePlatform } from './node.ts';
import { withSharedMemory } from './share-memory.ts';
import { simdKernels } from './wasm-kernels-bytes.ts';

test.each([
  ["tfjs's module with SIMD", () => nodePlatform().wasmBinary('simd')],
  ["tfjs's module without", () => nodePlatform().wasmBinary('plain')],
  ['the kernels', async () => Uint8Array.from(Buffer.from(simdKernels, 'base64'))],
])('%s takes a shared memory and is the same code otherwise', async (_, read) => {
  const plain = await read();
  const shared = withSharedMemory(plain);
  expect(WebAssembly.validate(shared)).toBe(true);
  const changed = [...shared.keys()].filter((i) => shared[i] !== plain[i]);
  expect(changed.map((i) => [plain[i], shared[i]])).toEqual([[1, 3]]);
});

test('a module whose memory cannot be shared is refused', () => {
  const header = [0, 97, 115, 109, 1, 0, 0, 0];
  expect(() => withSharedMemory(Uint8Array.from(header))).toThrow('no memory');
  // One page and no maximum.
  expect(() => withSharedMemory(Uint8Array.from([...header, 5, 3, 1, 0, 1]))).toThrow('no memory with a maximum');
  // Imports before it: a function, a table, a global and then the memory.
  const imports = [2, 30, 4, 1, 97, 1, 102, 0, 0, 1, 97, 1, 116, 1, 112, 0, 1, 1, 97, 1, 103, 3, 127, 0, 1, 97, 1, 109, 2, 1, 1, 2];
  const types = [1, 4, 1, 96, 0, 0];
  const shared = withSharedMemory(Uint8Array.from([...header, ...types, ...imports]));
  expect(WebAssembly.validate(shared)).toBe(true);
});
