import { NvlmError, throwIfAborted } from '../../errors.ts';
import type { AdapterModule } from '../../nvlm/adapters/adapter-modules.ts';
import { parseAdapter } from '../../nvlm/adapters/peft.ts';
import { openModelFolder } from '../../weights/model-folder.ts';
import { AdapterLibrary } from './adapter-library.ts';
import type { ModelSource } from '../api.ts';
import { exportedFiles, mergeAdapterFiles, type ExportFile } from '../export/export-model.ts';
import type { EnginePlatform } from '../platform.ts';
import type { Session } from '../chat/session.ts';
import type { AdapterApi, AdapterUse, ExportPart, RunSummary } from '../runs/training-api.ts';

interface AdaptersOptions {
  platform: EnginePlatform;
  loaded(): { session: Session; source: ModelSource } | null;
  /** Of all models in memory. */
  sessions(): Session[];
  runs(): Promise<RunSummary[]>;
  /** Waits for whoever computes on the loaded model. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
}

/** The adapters of this browser, and what puts them on the loaded model. */
export interface Adapters {
  api: AdapterApi;
  /** Has these answer next. @throws NvlmError `not-found`, `bad-model`, `usage` */
  use(session: Session, wanted: readonly AdapterUse[]): Promise<void>;
}

export function createAdapters({ platform, loaded, sessions, runs, inTurn }: AdaptersOptions): Adapters {
  let opened: Promise<AdapterLibrary> | null = null;

  function library(): Promise<AdapterLibrary> {
    opened ??= platform.files().then((folder) => new AdapterLibrary(folder, finishedRuns));
    opened.catch(() => (opened = null));
    return opened;
  }

  async function finishedRuns(): Promise<RunSummary[]> {
    return (await runs()).filter(({ state, result }) => state === 'finished' && result === 'adapter');
  }

  const sizes = () => loaded()?.session.model.weights ?? null;

  async function use(session: Session, wanted: readonly AdapterUse[]): Promise<void> {
    await session.useAdapters(wanted, async (id): Promise<AdapterModule[]> => {
      const { config, tensors } = await (await library()).open(id);
      return parseAdapter(config, tensors, session.model.weights);
    });
  }

  const api: AdapterApi = {
    adapters: async () => (await library()).list(sizes()),
    importAdapter: async (title, files) => (await library()).import(title, files, sizes()),
    deleteAdapter: async (id) => {
      await (await library()).remove(id);
      // Without a model there is nothing to wait for, least of all the end of a run.
      if (loaded()) await inTurn(async () => sessions().forEach((session) => session.removeAdapter(id)));
    },
    exportAdapter: async (id) => (await library()).files(id),
    async exportMerged(wanted, { signal, onPart }) {
      const model = loaded();
      if (!model) throw new NvlmError('not-found', 'No model is loaded.', 'Load one first, on the Models screen.');
      const store = await library();
      const files = await platform.openFiles(model.source, { signal });
      try {
        const folder = await openModelFolder(files, signal);
        const adapters = [];
        for (const { id, strength } of wanted) adapters.push({ files: await store.open(id), strength });
        await handOut(await exportedFiles(folder, mergeAdapterFiles(folder, adapters), { signal }), onPart, signal);
      } finally {
        await files.close();
      }
    },
  };
  return { api, use };
}

async function handOut(
  files: readonly ExportFile[],
  onPart: (part: ExportPart) => unknown,
  signal: AbortSignal | undefined,
): Promise<void> {
  const totalBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let doneBytes = 0;
  for (const { path, bytes, parts } of files) {
    let left = bytes;
    for await (const part of parts) {
      throwIfAborted(signal);
      left -= part.length;
      doneBytes += part.length;
      await onPart({ path, fileBytes: bytes, part, last: left === 0, doneBytes, totalBytes });
    }
    if (bytes === 0) await onPart({ path, fileBytes: 0, part: new Uint8Array(0), last: true, doneBytes, totalBytes });
  }
}
