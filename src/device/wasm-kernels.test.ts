import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { compileKernels } from '../../build/wasm-kernels.ts';
import { nodePlatform } from './node.ts';
import { relaxedSimdKernels, simdKernels } from './wasm-kernels-bytes.ts';

test('the bytes are those of the source', async () => {
  expect(await readFile(new URL('./wasm-kernels-bytes.ts', import.meta.url), 'utf8')).toBe(await compileKernels());
}, 300_000);

test.each([simdKernels, relaxedSimdKernels])('the kernels lay nothing into memory that is not theirs', async (text) => {
  await nodePlatform().prepareWasm();
  const module = await WebAssembly.compile(Buffer.from(text, 'base64'));
  expect(WebAssembly.Module.imports(module)).toEqual([{ module: 'env', name: 'memory', kind: 'memory' }]);
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
  await WebAssembly.instantiate(module, { env: { memory } });
  expect(new Uint8Array(memory.buffer).every((byte) => byte === 0)).toBe(true);
});
