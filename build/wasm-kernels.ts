/**
 * Compiles the wasm backend's kernels (kernels/*.ts, AssemblyScript) into src/device/wasm-kernels-bytes.ts, so that neither users nor
 * the site's build need a compiler: `npx tsx build/wasm-kernels.ts`. A test holds the file to what this makes.
 */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const target = 'src/device/wasm-kernels-bytes.ts';

async function compile(features: string): Promise<Uint8Array> {
  const { main } = await import('assemblyscript/asc');
  let bytes: Uint8Array | undefined;
  const options = [
    '--runtime',
    'stub',
    '--noAssert',
    '--importMemory',
    '--initialMemory',
    '0',
    '--maximumMemory',
    '65536',
    '-O3',
    '--enable',
    features,
  ];
  const { error, stderr } = await main(['kernels/index.ts', '--baseDir', root, ...options, '--outFile', 'kernels.wasm'], {
    writeFile: (_name, contents) => void (typeof contents === 'string' || (bytes = contents)),
  });
  if (error || !bytes) throw new Error(stderr.toString());
  return bytes;
}

/** The file's text. */
export async function compileKernels(): Promise<string> {
  const lines = (bytes: Uint8Array) =>
    Buffer.from(bytes)
      .toString('base64')
      .replace(/.{1,136}/g, "  '$&' +\n")
      .slice(0, -3);
  return `// Made by build/wasm-kernels.ts from kernels/*.ts; not to be edited.

/** For machines with wasm's 128-bit SIMD, base64. */
export const simdKernels =
${lines(await compile('simd'))};

/** The same source for those with relaxed SIMD: a product and a sum in one instruction. */
export const relaxedSimdKernels =
${lines(await compile('simd,relaxed-simd'))};
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeFile(`${root}${target}`, await compileKernels());
