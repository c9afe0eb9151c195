import { execFile } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { npmChromium } from './npm-chromium.ts';

const projectRoot = fileURLToPath(new URL('../../', import.meta.url));

/**
 * What a Node process needs in its environment **when it starts** so that `webgpu` (Dawn) finds an adapter: nothing where
 * the system has a driver; else a folder on the library path in which `libvulkan.so.1` is the software driver that comes
 * with the npm Chromium. Dawn calls that driver directly, so not even a Vulkan loader is needed.
 */
export async function vulkanEnvironment(): Promise<Record<string, string>> {
  if (await findsAdapter({})) return {};
  const chromium = await npmChromium();
  if (!chromium) return {};
  const folder = join(dirname(chromium.vulkanDriver), 'vulkan');
  await mkdir(folder, { recursive: true });
  // Relative, so that it holds when the project is moved or seen under another path.
  await symlink(join('..', basename(chromium.vulkanDriver)), join(folder, 'libvulkan.so.1')).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const inherited = process.env['LD_LIBRARY_PATH'];
  const environment = { LD_LIBRARY_PATH: inherited ? `${folder}:${inherited}` : folder };
  if (!(await findsAdapter(environment))) {
    throw new Error('No GPU adapter in Node, not even with the software driver from npm: the WebGPU tests cannot run.');
  }
  return environment;
}

/** Asked in a process of its own: a driver is loaded once a process, and the answer must not bind this one. */
async function findsAdapter(environment: Record<string, string>): Promise<boolean> {
  const script = `
    const { create } = await import('webgpu');
    process.exit((await create([]).requestAdapter()) ? 0 : 3);`;
  try {
    await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
      cwd: projectRoot,
      env: { ...process.env, ...environment },
      timeout: 60_000,
    });
    return true;
  } catch {
    return false;
  }
}
