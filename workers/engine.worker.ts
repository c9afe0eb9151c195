import type { EngineStart } from '../src/engine/engine-start.ts';
import type { BegunRequest } from '../src/weights/head-start.ts';

// One folder up from this script in development (/workers) and in the built site (…/assets) alike, at any base path.
const modelsUrl = new URL('../models/', location.href);

function begin({ path, init }: EngineStart['requests'][number]): BegunRequest {
  const { href: url } = new URL(path, modelsUrl);
  const stop = new AbortController();
  const response = fetch(url, { ...init, signal: stop.signal });
  // Whoever wants the file will ask again.
  response.catch(() => undefined);
  return { url, init, response, stop };
}

// This script imports nothing, so that it runs at once: the engine is a large one, and what the first model begins with is asked for
// before the browser has that to read.
addEventListener(
  'message',
  ({ data: { port, requests } }: MessageEvent<EngineStart>) => {
    const begun = requests.map(begin);
    // The page hears of a script that does not arrive as of any other fault of this worker.
    import('./engine-service.ts').then(({ serveEngine }) => serveEngine(port, modelsUrl, begun)).catch(reportError);
  },
  { once: true },
);
