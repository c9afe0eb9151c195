import { expose } from '../src/bridge/expose.ts';
import { serve } from '../src/bridge/serve.ts';
import { ENGINE_METHODS } from '../src/engine/api.ts';
import { browserPlatform } from '../src/engine/browser-platform.ts';
import { createEngine } from '../src/engine/engine.ts';

// One folder up from this script in development (/workers) and in the built site (…/assets) alike, at any base path.
const modelsUrl = new URL('../models/', location.href);

expose(serve(createEngine(browserPlatform(modelsUrl)), ENGINE_METHODS));
