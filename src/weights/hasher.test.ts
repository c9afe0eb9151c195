import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import { compileSha256 } from '../../build/wasm-kernels.ts';
import { numbersFor, seededNumbers } from '../numbers/random.ts';
import { createGitHasher, createHasher, plainSha256, type Hasher } from './hasher.ts';
import { wasmSha256 } from './sha256.ts';

function randomBytes(size: number, next: () => number): Uint8Array {
  return Uint8Array.from({ length: size }, () => next() * 256);
}

const nodes = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** The parts between random places, some of them empty. */
function* randomParts(bytes: Uint8Array, next: () => number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + Math.floor(next() ** 4 * bytes.length));
    yield bytes.subarray(at, end);
    at = end;
  }
}

test('the kernel is what its source compiles to', async () => {
  expect(await readFile(new URL('./sha256-bytes.ts', import.meta.url), 'utf8')).toBe(await compileSha256());
}, 300_000);

/** What the first of them is here, and what a browser takes with and without WebAssembly. */
const MAKERS: Record<string, () => Hasher> = { own: createHasher, wasm: () => wasmSha256()!, plain: plainSha256 };

test.each(Object.keys(MAKERS))('a whole of any length around one and two blocks has the hash that Node gives it: %s', (maker) => {
  const bytes = randomBytes(260, seededNumbers(1));
  for (let size = 0; size <= bytes.length; size++) {
    const hasher = MAKERS[maker]!();
    hasher.update(bytes.subarray(0, size));
    expect(hasher.digest()).toBe(nodes(bytes.subarray(0, size)));
  }
});

test('files that come in pieces of any length, side by side, have the hashes that Node gives them', () => {
  for (let seed = 0; seed < 20; seed++) {
    const files = [0, 1, 2].map((file) => {
      const next = numbersFor(seed, file);
      const bytes = randomBytes(Math.floor(next() * 300_000), next);
      return { bytes, parts: randomParts(bytes, next), hasher: wasmSha256()! };
    });
    for (let left = files; left.length > 0; ) {
      left = left.filter(({ parts, hasher }) => {
        const { value, done } = parts.next();
        if (value) hasher.update(value);
        return !done;
      });
    }
    for (const { bytes, hasher } of files) expect(hasher.digest()).toBe(nodes(bytes));
  }
});

test('a browser takes the kernel, and JavaScript where WebAssembly does not start', async () => {
  vi.stubGlobal('process', { ...process, getBuiltinModule: undefined });
  vi.resetModules();
  try {
    const browsers = await import('./hasher.ts');
    const compress = vi.spyOn(WebAssembly, 'Instance');
    browsers.createHasher();
    expect(compress).toHaveBeenCalledOnce();
    vi.stubGlobal('WebAssembly', undefined);
    vi.resetModules();
    const hasher = (await import('./hasher.ts')).createHasher();
    hasher.update(randomBytes(1000, seededNumbers(2)));
    expect(hasher.digest()).toBe(nodes(randomBytes(1000, seededNumbers(2))));
  } finally {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  }
});

test('git’s name of a file is that of its header and content', () => {
  const bytes = randomBytes(1000, seededNumbers(3));
  const hasher = createGitHasher(bytes.length);
  hasher.update(bytes);
  expect(hasher.digest()).toBe(createHash('sha1').update('blob 1000\0').update(bytes).digest('hex'));
});
