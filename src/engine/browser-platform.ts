import { browserPlatform as browserDevices } from '../device/browser.ts';
import type { Folder } from '../files/folder.ts';
import { openPageFolder } from '../files/open-folder.ts';
import { browserFiles } from './models/browser-files.ts';
import type { EnginePlatform } from './platform.ts';

/** As {@link browserFiles}. */
export function browserPlatform(modelsUrl: URL, fetch?: typeof globalThis.fetch): EnginePlatform {
  let opened: Promise<Folder> | undefined;
  const files = () => (opened ??= openPageFolder());
  return {
    device: browserDevices(),
    ...browserFiles(modelsUrl, fetch),
    kept: files,
    files,
  };
}
