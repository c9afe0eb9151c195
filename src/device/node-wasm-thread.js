// @ts-check
/** A thread of the wasm backend in Node; see wasm-thread.js. */
import { parentPort, workerData } from 'node:worker_threads';
import { serveJobs } from './wasm-thread.js';

void serveJobs(workerData, () => parentPort?.postMessage('ready'));
