/** Comparisons with the reference implementations; they run in Node and in the test harness's page alike. */
import type { Device } from '../../src/device/types.ts';
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
  const model = await loadModel(await openModelFolder(files), { keepHalves: device.info.backend === 'webgpu' });
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
  const session = await Session.open(await openModelFolder(files), device, { onlyMultiplied: true });
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
