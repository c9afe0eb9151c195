import { fileURLToPath } from 'node:url';
import type { Alias } from 'vite';

/** Puts `tfjs.ts` in the place of the whole package; subpaths and the other tfjs packages stay what they are. */
export const tfjsAlias: Alias = { find: /^@tensorflow\/tfjs$/, replacement: fileURLToPath(new URL('./tfjs.ts', import.meta.url)) };
