import { browserPlatform } from '../../../src/engine/browser-platform.ts';
import { createEngine } from '../../../src/engine/engine.ts';

/** The page's engine, as its worker would hold it. */
export const engine = createEngine(browserPlatform(new URL('/', location.origin)));
