import '../src/bridge/trusted-types.ts';
import { expose } from '../src/bridge/expose.ts';
import type { DeafMessage } from '../src/bridge/protocol.ts';
import { serve } from '../src/bridge/serve.ts';
import { ENGINE_METHODS } from '../src/engine/api.ts';
import { browserPlatform } from '../src/engine/browser-platform.ts';
import { createEngine } from '../src/engine/engine.ts';
import { onForeignWork } from '../src/engine/foreign-work.ts';

// One folder up from this script in development (/workers) and in the built site (…/assets) alike, at any base path.
const modelsUrl = new URL('../models/', location.href);

/** The types know only the page's `postMessage`. */
const page = globalThis as unknown as Pick<MessagePort, 'postMessage'>;
onForeignWork((deafIn) => page.postMessage({ deafIn } satisfies DeafMessage));

expose(serve(createEngine(browserPlatform(modelsUrl)), ENGINE_METHODS));
