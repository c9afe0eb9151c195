import '../src/bridge/trusted-types.ts';
import { expose } from '../src/bridge/expose.ts';
import type { DeafMessage } from '../src/bridge/protocol.ts';
import { serve } from '../src/bridge/serve.ts';
import { ENGINE_METHODS, type Engine } from '../src/engine/api.ts';
import { browserPlatform } from '../src/engine/browser-platform.ts';
import { createEngine } from '../src/engine/engine.ts';
import { onForeignWork } from '../src/engine/foreign-work.ts';
import { HeadStart, type BegunRequest } from '../src/weights/head-start.ts';

/** The types know only the page's `postMessage`. */
const page = globalThis as unknown as Pick<MessagePort, 'postMessage'>;

/**
 * The engine, answering over the page's port.
 *
 * @param modelsUrl where the bundled models' folders lie, with a closing slash
 * @param begun for the first load; what that has not asked for by its end is let go
 */
export function serveEngine(port: MessagePort, modelsUrl: URL, begun: readonly BegunRequest[]): void {
  onForeignWork((deafIn) => page.postMessage({ deafIn } satisfies DeafMessage));
  const headStart = new HeadStart(begun);
  const engine = createEngine(browserPlatform(modelsUrl, headStart.fetch));
  const load: Engine['load'] = (...args) => engine.load(...args).finally(() => headStart.end());
  expose(serve({ ...engine, load }, ENGINE_METHODS), port);
}
