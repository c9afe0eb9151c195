/**
 * Compiles the wasm backend's kernels (kernels/index.ts, AssemblyScript) into src/device/wasm-kernels-bytes.ts, and SHA-256
 * (kernels/sha256.ts) into src/weights/sha256-bytes.ts, so that neither users nor the site's build need a compiler:
 * `npx tsx build/wasm-kernels.ts`. Tests hold the files to what this makes.
 */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));

/** @returns the module in base64, as lines of source */
async function compile(entry: string, options: string[]): Promise<string> {
  const { main } = await import('assemblyscript/asc');
  let bytes: Uint8Array | undefined;
  const common = ['--runtime', 'stub', '--noAssert', '-O3'];
  const { error, stderr } = await main([entry, '--baseDir', root, ...common, ...options, '--outFile', 'kernels.wasm'], {
    writeFile: (_name, contents) => void (typeof contents === 'string' || (bytes = contents)),
  });
  if (error || !bytes) throw new Error(stderr.toString());
  return Buffer.from(bytes)
    .toString('base64')
    .replace(/.{1,136}/g, "  '$&' +\n")
    .slice(0, -3);
}

/** The text of src/device/wasm-kernels-bytes.ts. */
export async function compileKernels(): Promise<string> {
  const memory = ['--importMemory', '--initialMemory', '0', '--maximumMemory', '65536'];
  const kernels = (features: string) => compile('kernels/index.ts', [...memory, '--enable', features]);
  return `// Made by build/wasm-kernels.ts from kernels/*.ts; not to be edited.

/** For machines with wasm's 128-bit SIMD, base64. */
export const simdKernels =
${await kernels('simd')};

/** The same source for those with relaxed SIMD: a product and a sum in one instruction. */
export const relaxedSimdKernels =
${await kernels('simd,relaxed-simd')};
`;
}

/** The text of src/weights/sha256-bytes.ts. */
export async function compileSha256(): Promise<string> {
  return `// Made by build/wasm-kernels.ts from kernels/sha256.ts; not to be edited.

/** For any machine with wasm, base64; two pages of memory. */
export const sha256Kernel =
${await compile('kernels/sha256.ts', ['--initialMemory', '2'])};
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile(`${root}src/device/wasm-kernels-bytes.ts`, await compileKernels());
  await writeFile(`${root}src/weights/sha256-bytes.ts`, await compileSha256());
}
