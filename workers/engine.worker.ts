import * as Comlink from 'comlink';
import { browserPlatform } from '../src/engine/browser-platform.ts';
import { createEngine } from '../src/engine/engine.ts';
import { createEngineService, type AliveMessage } from './engine-service.ts';

/** The types know only the page's `postMessage`. */
const page = globalThis as unknown as Pick<MessagePort, 'postMessage'>;

// One folder up from this script in development (/workers) and in the built site (…/assets) alike, at any base path.
const modelsUrl = new URL('../models/', location.href);

// The page waits for this lock: browsers tell nobody when they end a worker, but they free its locks.
// Pages that did not come over HTTPS have none; they go without.
if (isSecureContext) {
  const lock = `nvlm-engine-${crypto.randomUUID()}`;
  void navigator.locks.request(lock, () => {
    page.postMessage({ aliveWhileLocked: lock } satisfies AliveMessage);
    return new Promise(() => undefined);
  });
}

Comlink.expose(createEngineService(createEngine(browserPlatform(modelsUrl))));
