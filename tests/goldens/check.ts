/** Comparisons with the reference implementations; they run in Node and in the test harness's page alike. */
import { computesPacked } from '../../src/device/computes-packed.ts';
import type { Device } from '../../src/device/types.ts';
import { Inside } from '../../src/engine/inside/inside.ts';
import { insideTensors } from '../../src/engine/inside/inside-tensors.ts';
import { wholeTiles } from '../../src/engine/inside/regions.ts';
import { forward } from '../../src/engine/measure/forward.ts';
import { Session } from '../../src/engine/chat/session.ts';
import { loadModel } from '../../src/nvlm/load-model.ts';
import { openModelFolder } from '../../src/weights/model-folder.ts';
import { parseSafetensors, type LoadedTensor } from '../../src/weights/safetensors.ts';
import type { ModelFiles } from '../../src/weights/source.ts';

export interface GoldenChat {
  image: string | null;
  prompt: string;
  promptIds: number[];
  maxNewTokens: number;
  ids: number[];
  text: string;
}

export interface GoldenError {
  record: number;
  output: string;
  /** See {@link relativeError}. */
  error: number;
}

/**
 * Most that logits and features may be off, see {@link relativeError}. Measured are at most 2e-6, on cpu, wasm and software WebGPU
 * adapters alike. A hardware GPU adapter's exp and square root are coarser: WGSL leaves them a few units in the last place.
 */
export function forwardBound({ info }: Pick<Device, 'info'>): number {
  return info.adapter && !info.adapter.software ? 2e-4 : 2e-5;
}

const MOST_BYTES = 32 * 1024 * 1024;

async function readFile(files: ModelFiles, path: string): Promise<Uint8Array> {
  const bytes = await files.readAll(path, MOST_BYTES);
  if (!bytes) throw new Error(`${path} is missing`);
  return bytes;
}

/**
 * `forward` on the records of a golden folder: how far each output is from the reference's.
 * @param recordFiles where the records are, when another folder has the same
 */
export async function forwardErrors(
  files: ModelFiles,
  device: Device,
  records: readonly number[],
  recordFiles = files,
): Promise<GoldenError[]> {
  const model = await loadModel(await openModelFolder(files), { keepHalves: computesPacked(device.info) });
  try {
    const errors: GoldenError[] = [];
    for (const record of records) {
      const read = async (kind: string) => {
        const path = `forward/${record}.${kind}.safetensors`;
        return parseSafetensors(await readFile(recordFiles, path), path);
      };
      const expected = await read('outputs');
      const outputs = new Map((await forward(model, device, await read('inputs'))).map((output) => [output.name, output]));
      for (const [name, reference] of expected) {
        const output = outputs.get(name);
        const sameShape = output?.shape.join() === reference.shape.join();
        errors.push({ record, output: name, error: sameShape ? relativeError(output!.data as Float32Array, reference) : Infinity });
      }
    }
    return errors;
  } finally {
    model.dispose();
  }
}

/** Greedy answers to the chats of a golden folder, beside the reference's. */
export async function answerChats(
  files: ModelFiles,
  device: Device,
  readImage: (path: string) => Promise<Uint8Array>,
  most = Infinity,
): Promise<{ got: Pick<GoldenChat, 'ids' | 'text'>; expected: GoldenChat }[]> {
  const chats = JSON.parse(new TextDecoder().decode(await readFile(files, 'chat.json'))) as GoldenChat[];
  const session = await Session.open(await openModelFolder(files), device);
  try {
    const answers = [];
    for (const expected of chats.slice(0, most)) {
      const { ids, text } = await session.chat({
        messages: [{ role: 'user', content: expected.prompt }],
        image: expected.image ? await readImage(expected.image) : null,
        sampling: { temperature: 0 },
        maxNewTokens: expected.maxNewTokens,
      });
      answers.push({ got: { ids, text }, expected });
    }
    return answers;
  } finally {
    session.dispose();
  }
}

/** What happens inside while the chats of a golden folder are answered: how far each tensor is from the reference's, ids by their count. */
export async function insideErrors(
  files: ModelFiles,
  device: Device,
  readImage: (path: string) => Promise<Uint8Array>,
  records: readonly number[],
): Promise<GoldenError[]> {
  const chats = JSON.parse(new TextDecoder().decode(await readFile(files, 'chat.json'))) as GoldenChat[];
  const session = await Session.open(await openModelFolder(files), device);
  const inside = new Inside(session);
  try {
    const errors: GoldenError[] = [];
    for (const record of records) {
      const { image, prompt, ids } = chats[record]!;
      const about = await inside.open({
        messages: [{ role: 'user', content: prompt }],
        image: await readImage(image!),
        answer: ids,
        maxNewTokens: 1,
      });
      const worth: number[][] = [];
      // Before the attention: it must be put right again after what the worth has overwritten.
      await inside.worth(
        { trace: about.trace, regions: wholeTiles(about.layout!.tiles.length) },
        { onEvent: (event) => (worth[event.region] = event.worth) },
      );
      const lens = about.hasLens ? await inside.lens(about.trace, undefined) : [];
      const found = new Map(
        (await insideTensors(inside.traceOf(about.trace), { ...about, lens, worth })).map((tensor) => [tensor.name, tensor]),
      );
      const path = `inside/${record}.safetensors`;
      for (const [name, reference] of parseSafetensors(await readFile(files, path), path)) {
        const { shape, dtype, data } = found.get(name) ?? { shape: [], dtype: '', data: null };
        const same = shape.join() === reference.shape.join() && dtype === reference.dtype;
        errors.push({ record, output: name, error: same ? largestDifference(data!, reference) : Infinity });
      }
    }
    return errors;
  } finally {
    inside.close();
    session.dispose();
  }
}

/** Infinity when anything is not a number. */
function largestDifference(values: ArrayBufferView, reference: LoadedTensor): number {
  const numbers = (buffer: ArrayBufferLike) =>
    reference.dtype === 'I32' ? Float64Array.from(new Int32Array(buffer)) : Float64Array.from(new Float32Array(buffer));
  const [got, expected] = [numbers(values.buffer), numbers(reference.bytes.slice().buffer)];
  const differences = expected.map((value, at) => Math.abs(value - got[at]!));
  return differences.some(Number.isNaN) ? Infinity : differences.reduce((most, one) => Math.max(most, one), 0);
}

/** Largest difference as a share of the reference's largest absolute value; Infinity when anything is not a number. */
export function relativeError(values: Float32Array, reference: LoadedTensor): number {
  const expected = new Float32Array(reference.bytes.slice().buffer);
  if (values.length !== expected.length) return Infinity;
  let largest = 0;
  let difference = 0;
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]!));
    const d = Math.abs(values[i]! - expected[i]!);
    if (!(d <= difference)) difference = Number.isNaN(d) ? Infinity : d;
  }
  return difference / largest;
}
