// The page's policy, which the harness is built with too, lets workers start through it alone.
import '../../../src/bridge/trusted-types.ts';
import * as Comlink from 'comlink';
import { jobs, type Jobs } from './jobs.ts';

const worker = new Worker(new URL('./job.worker.ts', import.meta.url), { type: 'module' });
const remote = Comlink.wrap<Jobs>(worker);

declare global {
  interface Window {
    /** The same jobs in the page's thread and in a worker. */
    harness: { page: Jobs; worker: Comlink.Remote<Jobs> };
  }
}

window.harness = { page: jobs, worker: remote };
