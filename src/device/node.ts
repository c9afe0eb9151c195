import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import type { DevicePlatform } from './types.ts';
import type { PoolThread, ThreadStart } from './wasm-pool.ts';

/**
 * One Dawn instance a process, never given back: when it is collected, Dawn unloads the driver, and a software driver whose
 * threads still run then takes the process down.
 */
let instance: GPU | undefined;

/** Without Mesa's software driver, which Dawn would try as well, and print what it lacks. */
const WITHOUT_LAVAPIPE = { VK_LOADER_DRIVERS_DISABLE: '*lvp*' };

/**
 * WebGPU through npm `webgpu` (Dawn); tfjs's wasm module lies in node_modules.
 *
 * @param quiet looks for a GPU adapter in a process of its own first, which takes half a second: where there is none, Dawn and the drivers
 *   print what they miss, past anything that this process could hold back
 * @param threads of the wasm backend, exactly; without it as many as there are cores, and each kernel measures how many of them help
 */
export function nodePlatform({ quiet = false, threads }: { quiet?: boolean; threads?: number } = {}): DevicePlatform {
  return {
    async gpu({ hardwareOnly }) {
      if (process.platform === 'linux') {
        if (hardwareOnly && !hasGraphicsDevice()) return { absent: 'This machine has no graphics device' };
        if (!hasVulkanLoader()) return { absent: 'No Vulkan driver is installed' };
        const drivers = quiet && !instance ? await usableDrivers(hardwareOnly) : hardwareOnly ? WITHOUT_LAVAPIPE : {};
        if (!drivers) return { absent: 'No Vulkan driver that is installed here has a GPU adapter that WebGPU can use' };
        for (const [name, value] of Object.entries(drivers)) process.env[name] ??= value;
      }
      try {
        const { create, globals } = await import('webgpu');
        const gpu = (instance ??= create([]));
        // tfjs looks for the browser's globals.
        Object.assign(globalThis, globals);
        installNavigatorGpu(gpu);
        return gpu;
      } catch (error) {
        const detail = error instanceof Error ? error.message : String(error);
        return { absent: `WebGPU for Node does not load here (${detail.split('\n')[0]})` };
      }
    },
    async prepareWasm() {
      // Browsers and Node from 21 on have it switched on.
      setFlagsFromString('--experimental-wasm-relaxed-simd');
    },
    async wasmBinary(kind) {
      const file = kind === 'simd' ? 'tfjs-backend-wasm-simd.wasm' : 'tfjs-backend-wasm.wasm';
      return readFile(createRequire(import.meta.url).resolve(`@tensorflow/tfjs-backend-wasm/dist/${file}`));
    },
    threads: () => ({ most: threads ?? availableParallelism(), fixed: threads !== undefined, start: startThread }),
  };
}

/** A thread that keeps nobody waiting at the end of the process. */
function startThread(start: ThreadStart): PoolThread {
  // Without the parent's loaders, which would take longer to start than the thread itself.
  const thread = new Worker(new URL('./node-wasm-thread.js', import.meta.url), { workerData: start, execArgv: [] });
  thread.unref();
  let stopped = false;
  const ended = new Promise<void>((resolve) => thread.once('exit', () => resolve()));
  const failed = new Promise<never>((_, reject) => thread.once('error', reject));
  // Its exit tells as much.
  failed.catch(() => undefined);
  const ready = new Promise<void>((resolve) => thread.once('message', () => resolve()));
  return {
    ready: Promise.race([ready, failed, ended.then(() => Promise.reject(new Error('the thread ended')))]),
    onEnd: (listener) => void ended.then(() => stopped || listener()),
    stop: () => {
      stopped = true;
      void thread.terminate();
    },
  };
}

/** By what its drivers make: DRI's render nodes, NVIDIA's, and that of Windows under WSL. Looking costs nothing and prints nothing. */
function hasGraphicsDevice(): boolean {
  const namesIn = (folder: string) => (existsSync(folder) ? readdirSync(folder) : []);
  return namesIn('/dev/dri').some((name) => name.startsWith('renderD')) || namesIn('/dev').some((name) => /^(nvidia\d|dxg$)/.test(name));
}

/** What to add to the environment for a GPU adapter to be found, and no more drivers to be asked than it takes; null when none is. */
async function usableDrivers(hardwareOnly: boolean): Promise<Record<string, string> | null> {
  for (const drivers of hardwareOnly ? [WITHOUT_LAVAPIPE] : [WITHOUT_LAVAPIPE, {}]) if (await findsAdapter(drivers)) return drivers;
  return null;
}

async function findsAdapter(drivers: Record<string, string>): Promise<boolean> {
  const dawn = pathToFileURL(createRequire(import.meta.url).resolve('webgpu')).href;
  const script = `
    const { create } = await import(${JSON.stringify(dawn)});
    process.exit((await create([]).requestAdapter()) ? 0 : 3);`;
  try {
    // What it prints is dropped with it; a driver that crashes takes this process alone.
    await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
      env: { ...drivers, ...process.env },
      timeout: 60_000,
    });
    return true;
  } catch {
    return false;
  }
}

/** Dawn prints a warning of its own when it looks for Vulkan in vain, so look first. */
function hasVulkanLoader(): boolean {
  const onPath = (process.env['LD_LIBRARY_PATH'] ?? '').split(':').filter(Boolean);
  const everywhere = [...onPath.map((folder) => join(folder, 'libvulkan.so.1')), '/usr/lib/libvulkan.so.1', '/usr/lib64/libvulkan.so.1'];
  return everywhere.some((file) => existsSync(file)) || linkerCache().includes('libvulkan.so.1');
}

function linkerCache(): string {
  try {
    return readFileSync('/etc/ld.so.cache', 'latin1');
  } catch {
    return '';
  }
}

function installNavigatorGpu(gpu: GPU): void {
  // Node 21 and later have a navigator; for older ones tfjs needs a user agent to look at as well.
  if (typeof globalThis.navigator !== 'object') {
    Object.defineProperty(globalThis, 'navigator', {
      value: { userAgent: `Node.js/${process.versions.node}` },
      configurable: true,
    });
  }
  Object.defineProperty(globalThis.navigator, 'gpu', { value: gpu, configurable: true });
}
