import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodePlatform } from '../device/node.ts';
import type { DevicePlatform } from '../device/types.ts';
import type { CallOptions, ModelSource } from '../engine/api.ts';
import type { EnginePlatform } from '../engine/platform.ts';
import type { Folder } from '../files/folder.ts';
import { MemoryFolder } from '../files/memory-folder.ts';
import { nodeFolder } from '../files/node-folder.ts';
import { NvlmError } from '../errors.ts';
import { checkedFiles } from '../weights/checked-files.ts';
import { httpFiles } from '../weights/http-files.ts';
import { hubFetch, openHub } from '../weights/hub.ts';
import { nodeFiles } from '../weights/node-files.ts';
import type { ModelFiles } from '../weights/source.ts';
import { hubOptions } from './model-source.ts';

/** The devices of a command, whose terminal is not for what Dawn and the drivers have to say. */
export function commandDevices({ threads }: ThreadOptions = {}): DevicePlatform {
  return nodePlatform({ quiet: true, threads });
}

interface ThreadOptions {
  /** Of the wasm backend, exactly; without it as many as help. */
  threads?: number;
}

/**
 * The engine in Node: models are read where they lie, on disk or behind an address, and are not kept.
 *
 * @param files where runs and datasets lie
 */
export function nodeEnginePlatform(files: Folder = new MemoryFolder(), options: ThreadOptions = {}): EnginePlatform {
  return {
    device: commandDevices(options),
    hub: hubOptions(),
    openFiles,
    store: async () => null,
    kept: keptFolder,
    files: async () => files,
  };
}

/** The user's own folder for what programs can find again. */
export async function keptFolder(): Promise<Folder> {
  return nodeFolder(join(cacheHome(), 'nvlm-playground'));
}

function cacheHome(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (XDG_CACHE_HOME) return XDG_CACHE_HOME;
  if (process.platform === 'win32' && LOCALAPPDATA) return LOCALAPPDATA;
  return process.platform === 'darwin' ? join(homedir(), 'Library', 'Caches') : join(homedir(), '.cache');
}

export async function openFiles(source: ModelSource, { signal }: CallOptions = {}): Promise<ModelFiles> {
  switch (source.kind) {
    case 'bundled':
      return nodeFiles(fileURLToPath(new URL(`../../public/models/${source.id}`, import.meta.url)), source.id);
    case 'folder':
      return nodeFiles(source.path);
    case 'url':
      return httpFiles(source.url, { fetch: hubFetch(hubOptions()) });
    case 'hub': {
      const hub = openHub(source, hubOptions());
      return checkedFiles(hub.files, await hub.list(signal));
    }
    case 'files':
    case 'run':
      throw new NvlmError('usage', 'Only a page holds such a model.', 'Give its folder.');
  }
}
