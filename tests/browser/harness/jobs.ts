import { computesPacked } from '../../../src/device/computes-packed.ts';
import * as tf from '@tensorflow/tfjs';
import { browserPlatform } from '../../../src/device/browser.ts';
import { openDevice } from '../../../src/device/open-device.ts';
import type { BackendChoice, Device, DeviceInfo } from '../../../src/device/types.ts';
import { deskExamples } from '../../../src/desk/examples.ts';
import { toPlainError, type PlainError } from '../../../src/errors.ts';
import { parseConfig } from '../../../src/nvlm/parse-config.ts';
import { loadWeights } from '../../../src/nvlm/load-weights.ts';
import { weightsNeed } from '../../../src/nvlm/memory-need.ts';
import { names } from '../../../src/nvlm/names.ts';
import { embed } from '../../../src/ops/embed/embed.ts';
import { runOpCases, type OpCaseResult } from '../../../src/ops/verify.ts';
import { decodeImage } from '../../../src/tiling/decode.ts';
import { httpFiles } from '../../../src/weights/http-files.ts';
import { openModelFolder } from '../../../src/weights/model-folder.ts';
import { openStore } from '../../../src/files/blobs/open-store.ts';
import { checkStoreContract } from '../../../src/files/blobs/store-contract.ts';
import { storedFiles } from '../../../src/weights/stored-files.ts';
import { streamTensors } from '../../../src/weights/stream.ts';
import { digestOf } from '../../support/digest.ts';
import { casesThatDifferOnThreads } from '../../support/threads.ts';
import { SMALL_LESSON, teachRing } from '../../support/teach-nano.ts';
import { answerChats, forwardErrors, insideErrors, type GoldenChat, type GoldenError } from '../../goldens/check.ts';
import { modelJobs } from './model-jobs.ts';
import { trainingJobs } from './training-jobs.ts';

/** Small beside the golden models, which are some hundred kilobytes. */
const STORE_CHUNK_BYTES = 40_000;

const CHECKPOINT = 'checkpoint';
/** See `openStore`. */
const STORE_FOLDER = 'nvlm-models';

interface SyncReader {
  read(into: Uint8Array, options: { at: number }): number;
  close(): void;
}

export interface CheckpointLoad {
  ms: number;
  info: DeviceInfo;
  /** In the files, on the device, and what the plan says of the latter. */
  tensorBytes: number;
  weightBytes: number;
  plannedBytes: number;
  /** Of the embedding table, one after the other. */
  rows: number[];
}

/** See `holdDevice`. */
let held: { choice: BackendChoice; device: Device } | null = null;

/** On the device that is held, or on one of its own. */
async function onDevice<T>(choice: BackendChoice, work: (device: Device) => Promise<T>): Promise<T> {
  if (held?.choice === choice) return work(held.device);
  const device = await openDevice(choice, browserPlatform());
  const result = await work(device);
  await device.dispose();
  return result;
}

/** What a spec can have done in the page or in a worker; arguments and answers are plain data. */
export const jobs = {
  ...trainingJobs,
  ...modelJobs,

  /** Multiplies on the device and reads back: its description and the distinct values of the product (50). */
  async multiply(choice: BackendChoice): Promise<{ info: DeviceInfo; values: number[] }> {
    const device = await openDevice(choice, browserPlatform());
    const product = tf.matMul(tf.ones([40, 50]), tf.ones([50, 60]));
    const values = [...new Set(await device.read(product))];
    product.dispose();
    await device.dispose();
    return { info: device.info, values };
  },

  /** Op cases (those of `ops`, or all) on the device against the reference. */
  async verifyOps(choice: BackendChoice, ops?: string[]): Promise<OpCaseResult[]> {
    const device = await openDevice(choice, browserPlatform());
    // Else tfjs computes small inputs on the CPU.
    if (choice === 'webgpu') tf.env().set('WEBGPU_CPU_FORWARD', false);
    const results = await runOpCases(ops);
    await device.check();
    await device.dispose();
    return results;
  },

  /** What there is of threads on wasm, and the op cases whose bits are others on all of them than on one. */
  async threads(): Promise<{ info: DeviceInfo; isolated: boolean; shares: boolean; differ: string[] }> {
    const device = await openDevice('wasm', browserPlatform());
    const { info } = device;
    const differ = info.threads > 1 ? await casesThatDifferOnThreads() : [];
    await device.dispose();
    return { info, isolated: crossOriginIsolated, shares: 'SharedArrayBuffer' in globalThis, differ };
  },

  /** Holds the browser's best storage to its contract; which one it is. */
  async storeContract(): Promise<string> {
    const store = await openStore();
    await checkStoreContract(store);
    return store.kind;
  },

  /**
   * Streams a golden model into storage up to a share of its bytes, and stops there with everything left open.
   * @returns where in the file the last request for weights began, if there was one, and how far the reader came; bytes of the file
   */
  async storeShare(model: string, share: number): Promise<{ from: number | null; reached: number; size: number }> {
    let from: number | null = null;
    const watching: typeof fetch = async (input, init) => {
      const range = /^bytes=(\d+)-/.exec(new Headers(init?.headers).get('Range') ?? '');
      if (range && String(input).endsWith('.safetensors')) from = Number(range[1]);
      return fetch(input, init);
    };
    const store = await openStore();
    const folder = await openModelFolder(storedFiles(httpFiles(goldenUrl(model), { fetch: watching }), store));
    const pieces = streamTensors(folder, folder.tensors.keys(), { chunkBytes: STORE_CHUNK_BYTES });
    let bytes = 0;
    let reached = 0;
    while (bytes < share * folder.tensorBytes) {
      const { value, done } = await pieces.next();
      if (done) break;
      bytes += value.bytes.length;
      reached = value.entry.start + value.offset + value.bytes.length;
    }
    if (share >= 1) await pieces.next();
    return { from, reached, size: folder.shards[0]!.bytes };
  },

  /**
   * Loads the weights of the folder under `/checkpoint/` onto the device, through storage if wanted: how long it took, and some
   * rows of the embedding table as the device has them.
   */
  async loadCheckpoint(choice: BackendChoice, stored: boolean, rows: number[]): Promise<CheckpointLoad> {
    const device = await openDevice(choice, browserPlatform());
    const remote = httpFiles(new URL('/checkpoint/', location.origin), { id: CHECKPOINT });
    const folder = await openModelFolder(stored ? storedFiles(remote, await openStore()) : remote);
    const config = parseConfig(folder.config);
    const start = performance.now();
    const weights = await loadWeights(folder, config, { keepHalves: computesPacked(device.info) });
    await device.check();
    const ms = performance.now() - start;
    await folder.files.close();
    const ids = tf.tensor1d(rows, 'int32');
    const embedded = embed(ids, weights.embedding(names.embedTokens(config)), null, null);
    const values = await device.read(embedded);
    const result = {
      ms,
      info: device.info,
      tensorBytes: folder.tensorBytes,
      weightBytes: weights.bytes,
      plannedBytes: weightsNeed(folder, config, {
        keepHalves: computesPacked(device.info),
        pairSides: device.info.backend === 'webgpu',
      }).bytes,
      rows: [...values],
    };
    tf.dispose([ids, embedded]);
    weights.dispose();
    await device.dispose();
    return result;
  },

  /** Milliseconds to fetch the shards of `/checkpoint/` and throw them away. */
  async fetchCheckpoint(files: string[]): Promise<number> {
    const start = performance.now();
    for (const file of files) {
      const reader = (await fetch(`/checkpoint/${file}`)).body!.getReader();
      while (!(await reader.read()).done) continue;
    }
    return performance.now() - start;
  },

  /** Milliseconds to read the stored shards with nothing between us and the browser's storage. */
  async readStoredCheckpoint(files: string[]): Promise<number> {
    const root = await navigator.storage.getDirectory();
    const folder = await (await root.getDirectoryHandle(STORE_FOLDER)).getDirectoryHandle(CHECKPOINT);
    const chunk = new Uint8Array(4 * 2 ** 20);
    const start = performance.now();
    for (const file of files) {
      // The page's types leave out what only workers have.
      const stored = (await folder.getFileHandle(file)) as FileSystemFileHandle & { createSyncAccessHandle(): Promise<SyncReader> };
      const handle = await stored.createSyncAccessHandle();
      for (let at = 0, got = 1; got > 0; at += got) got = handle.read(chunk, { at });
      handle.close();
    }
    return performance.now() - start;
  },

  /**
   * Keeps a device open for the golden jobs to come, where the first of them compiles for all: most of a software GPU adapter's time.
   * It goes with the page; other jobs are not for a page that holds one.
   */
  async holdDevice(choice: BackendChoice): Promise<void> {
    held = { choice, device: await openDevice(choice, browserPlatform()) };
  },

  /** `forward` on records of a golden model: errors against the reference. */
  goldenForward: (choice: BackendChoice, model: string, records: number[]): Promise<GoldenError[]> =>
    onDevice(choice, (device) => forwardErrors(httpFiles(goldenUrl(model)), device, records)),

  /** The first chats of a golden model beside the reference's answers. */
  goldenChats: (
    choice: BackendChoice,
    model: string,
    most: number,
  ): Promise<{ got: Pick<GoldenChat, 'ids' | 'text'>; expected: GoldenChat }[]> =>
    onDevice(choice, (device) => answerChats(httpFiles(goldenUrl(model)), device, readGolden(model), most)),

  /** Looks inside the answer to a chat of each golden model: errors against the reference. */
  goldenInside: (choice: BackendChoice, models: string[], record: number): Promise<Record<string, GoldenError[]>> =>
    onDevice(choice, async (device) => {
      const errors: Record<string, GoldenError[]> = {};
      for (const model of models) errors[model] = await insideErrors(httpFiles(goldenUrl(model)), device, readGolden(model), [record]);
      return errors;
    }),

  /** Teaches nano-d, which the spec serves under `/models/`, a new word; see there. */
  async teachRing(choice: BackendChoice): Promise<Awaited<ReturnType<typeof teachRing>>> {
    const device = await openDevice(choice, browserPlatform());
    const folder = await openModelFolder(httpFiles(new URL('/models/nano-d/', location.origin)));
    const scores = await teachRing(folder, device, SMALL_LESSON);
    await device.dispose();
    return scores;
  },

  /** SHA-256 of the pixels of an encoded picture, as the browser's worker decodes it. */
  decodedDigest: async (file: number[]): Promise<string> => digestOf([(await decodeImage(Uint8Array.from(file))).data]),

  /** SHA-256 of the pixels of all example pictures, as the browser draws them. */
  examplesDigest: async (): Promise<string> => digestOf(deskExamples().map((example) => example.draw().data)),

  /** Loses the device under a running computation, then opens it again: the error, and values of the new device (50). */
  async loseDevice(): Promise<{ error: PlainError | null; values: number[] }> {
    const device = await openDevice('webgpu', browserPlatform());
    const product = tf.matMul(tf.ones([400, 500]), tf.ones([500, 600]));
    const reading = device.read(product).then(
      () => null,
      (error: unknown) => toPlainError(error),
    );
    (tf.backend() as unknown as { device: GPUDevice }).device.destroy();
    const error = await reading;
    return { error, values: (await jobs.multiply('webgpu')).values };
  },

  /** Runs a program that does not compile; the error that reading its result gives. */
  async breakShader(): Promise<PlainError | null> {
    const device = await openDevice('webgpu', browserPlatform());
    const backend = tf.backend() as unknown as {
      runWebGPUProgram(program: object, inputs: tf.TensorInfo[], dtype: tf.DataType): tf.TensorInfo;
    };
    const program = {
      variableNames: [],
      outputShape: [64],
      dispatchLayout: { x: [0] },
      dispatch: [1, 1, 1],
      workgroupSize: [64, 1, 1],
      shaderKey: 'broken',
      size: true,
      getUserCode: () => 'fn main(index : i32) { nonsense }',
    };
    const output = tf.engine().makeTensorFromTensorInfo(backend.runWebGPUProgram(program, [], 'float32'));
    const error = await device.read(output).then(
      () => null,
      (caught: unknown) => toPlainError(caught),
    );
    await device.dispose();
    return error;
  },
};

/** The goldens lie beside the harness's page; this runs there or in a worker in `assets/`. */
function goldenUrl(model: string): URL {
  return new URL(`/${model}/`, location.origin);
}

/** Reads a file by its path as the model's chats name it. */
function readGolden(model: string): (path: string) => Promise<Uint8Array> {
  return async (path) => new Uint8Array(await (await fetch(new URL(path, goldenUrl(model)))).arrayBuffer());
}

export type Jobs = typeof jobs;
