import { browserPlatform as browserDevices } from '../device/browser.ts';
import type { Folder } from '../files/folder.ts';
import { openPageFolder } from '../files/open-folder.ts';
import { browserFiles } from './models/browser-files.ts';
import type { EnginePlatform } from './platform.ts';

/** As {@link browserFiles}. */
export function browserPlatform(modelsUrl: URL, fetch?: typeof globalThis.fetch): EnginePlatform {
  let files: Promise<Folder> | undefined;
  return {
    device: browserDevices(),
    ...browserFiles(modelsUrl, fetch),
    files: () => (files ??= openPageFolder()),
  };
}
