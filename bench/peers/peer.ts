/** The peers are an install of their own, so that nobody needs them who does not measure. */
import { pathToFileURL } from 'node:url';
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';

const here = createRequire(import.meta.url);

/** @throws Error when `npm ci --prefix bench/peers` has not been run */
export async function importPeer<T>(name: string): Promise<T> {
  const folder = new URL(`./node_modules/${name}/package.json`, import.meta.url);
  if (!existsSync(folder)) throw new Error(`${name} is not installed: run npm ci --prefix bench/peers.`);
  return (await import(pathToFileURL(here.resolve(name)).href)) as T;
}

/** What the bench uses of onnxruntime-web. */
export interface Ort {
  env: { wasm: { numThreads: number }; logLevel: string };
  Tensor: new (type: string, data: Float32Array | Int32Array | BigInt64Array, dims: number[]) => OrtTensor;
  InferenceSession: { create(model: Uint8Array, options: object): Promise<OrtSession> };
}

export interface OrtTensor {
  data: Float32Array;
  dims: readonly number[];
}

export interface OrtSession {
  run(feeds: Record<string, OrtTensor>): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}

/** onnxruntime-web on wasm, one thread, with every optimisation of its graph. */
export async function openOrt(model: Uint8Array): Promise<{ ort: Ort; session: OrtSession }> {
  const ort = await importPeer<Ort>('onnxruntime-web');
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
  return { ort, session: await ort.InferenceSession.create(model, { executionProviders: ['wasm'], graphOptimizationLevel: 'all' }) };
}
