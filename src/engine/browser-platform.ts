import { browserPlatform as browserDevices } from '../device/browser.ts';
import type { Folder } from '../files/folder.ts';
import { openPageFolder } from '../files/open-folder.ts';
import { browserFiles } from './models/browser-files.ts';
import type { EnginePlatform } from './platform.ts';

/** @param modelsUrl where the bundled models' folders lie, with a closing slash */
export function browserPlatform(modelsUrl: URL): EnginePlatform {
  let files: Promise<Folder> | undefined;
  return {
    device: browserDevices(),
    ...browserFiles(modelsUrl),
    files: () => (files ??= openPageFolder()),
  };
}
