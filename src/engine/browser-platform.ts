import { browserPlatform as browserDevices } from '../device/browser.ts';
import { browserFiles } from './browser-files.ts';
import type { EnginePlatform } from './platform.ts';

/** @param modelsUrl where the bundled models' folders lie, with a closing slash */
export function browserPlatform(modelsUrl: URL): EnginePlatform {
  return { device: browserDevices(), ...browserFiles(modelsUrl) };
}
