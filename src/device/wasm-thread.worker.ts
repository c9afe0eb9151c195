/** A thread of the wasm backend in a browser; see wasm-thread.js. */
import { serveJobs } from './wasm-thread.js';

/** The types know only the page's `postMessage`. */
const engine = globalThis as unknown as Pick<MessagePort, 'postMessage'>;

addEventListener(
  'message',
  ({ data }: MessageEvent<Parameters<typeof serveJobs>[0]>) => serveJobs(data, () => engine.postMessage('ready')).catch(reportError),
  {
    once: true,
  },
);
