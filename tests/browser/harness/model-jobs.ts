import type { ModelEntry, ModelSource } from '../../../src/engine/api.ts';
import { toPlainError, type PlainError } from '../../../src/errors.ts';
import type { Folder } from '../../../src/files/folder.ts';
import { openPageFolder } from '../../../src/files/open-folder.ts';
import { openHub } from '../../../src/weights/hub.ts';
import type { GoldenChat } from '../../goldens/check.ts';
import { engine } from './engine.ts';

interface Outcome<T> {
  value: T | null;
  error: PlainError | null;
}

/** The folder that the spec serves. */
const source: ModelSource = { kind: 'url', url: new URL('/checkpoint/', location.origin).href };
let stop = new AbortController();
let notes: Promise<Folder> | undefined;

async function outcome<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await work(), error: null };
  } catch (error) {
    return { value: null, error: toPlainError(error) };
  }
}

/** The model under `/checkpoint/`, through the engine and the browser's storage. */
export const modelJobs = {
  /** Whether it could be stored, else why not. */
  async openModel(): Promise<Outcome<{ notKept: PlainError | null }>> {
    if ((await engine.device().catch(() => null))?.backend !== 'wasm') await engine.openDevice('wasm');
    stop = new AbortController();
    return outcome(async () => {
      const { notKept } = await engine.load(source, { signal: stop.signal });
      return { notKept };
    });
  },

  /** Cancels {@link openModel}; the machine's time. */
  cancelOpening(): number {
    stop.abort();
    return Date.now();
  },

  askModel: ({ prompt, image, maxNewTokens }: GoldenChat): Promise<Outcome<string>> =>
    outcome(async () => {
      const picture =
        image === null ? null : new Uint8Array(await (await fetch(new URL(`/nvlm-d/${image}`, location.origin))).arrayBuffer());
      const messages = [{ role: 'user' as const, content: prompt }];
      return (await engine.chat({ messages, image: picture, sampling: { temperature: 0 }, maxNewTokens })).text;
    }),

  canBeStored: async (): Promise<boolean | null> => (await engine.plan(source)).canBeStored,

  modelEntry: async (): Promise<ModelEntry | undefined> =>
    (await engine.models()).find((entry) => entry.source.kind === 'url' && entry.source.url === source.url),

  deleteModel: (): Promise<Outcome<void>> => outcome(() => engine.deleteStored(`url:${source.url}`)),

  /** Flips a bit of a stored file, in the middle. */
  async damageStored(name: string): Promise<void> {
    const file = await findFile(await navigator.storage.getDirectory(), name);
    const bytes = new Uint8Array(await (await file!.getFile()).arrayBuffer());
    bytes[bytes.length >> 1]! ^= 16;
    const stream = await file!.createWritable();
    await stream.write(bytes);
    await stream.close();
  },

  /** Writes into the page's own folder, which is opened once, and reads it back. */
  async keepNote(text: string): Promise<string> {
    const folder = await (notes ??= openPageFolder());
    await folder.write('note', new TextEncoder().encode(text));
    return new TextDecoder().decode((await folder.read('note'))!);
  },

  /** Reads a file of a hub at this address, twice, with a token. */
  async readFromHub(endpoint: string, token: string, path: string): Promise<number[]> {
    const { files } = openHub({ repository: 'org/name', revision: 'main' }, { endpoint, token });
    return [...(await files.read(path, 0, 4)), ...(await files.read(path, 4, 8))];
  },
};

async function findFile(folder: FileSystemDirectoryHandle, wanted: string): Promise<FileSystemFileHandle | null> {
  for await (const [name, handle] of folder.entries()) {
    if (handle instanceof FileSystemFileHandle && name === wanted) return handle;
    const inside = handle instanceof FileSystemDirectoryHandle ? await findFile(handle, wanted) : null;
    if (inside) return inside;
  }
  return null;
}
