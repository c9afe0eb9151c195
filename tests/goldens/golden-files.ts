import { fileURLToPath } from 'node:url';

/** A model folder of the committed goldens, e.g. `nvlm-d`. */
export function goldenFolder(name: string): string {
  return fileURLToPath(new URL(`../fixtures/goldens/${name}`, import.meta.url));
}
