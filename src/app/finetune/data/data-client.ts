import * as Comlink from 'comlink';
import type { DataService, ImportSource, ImportTarget } from '../../../../workers/data-service.ts';
import type { CallId, Reply } from '../../../../workers/engine-service.ts';
import type {
  ColumnMapping,
  DatasetRecord,
  DatasetSummary,
  GenerateRequest,
  ImportProgress,
  ImportReport,
  RecordPage,
  RecordQuery,
  RemovedRecord,
  TableDescription,
} from '../../../datasets/types.ts';
import type { CallOptions, ModelSource } from '../../../engine/api.ts';
import type { ExamplePreview } from '../../../engine/runs/preview-example.ts';
import { NvlmError, cancelled, fromPlainError } from '../../../errors.ts';

export type { ExamplePreview, ImportSource, ImportTarget };

type WorkOptions = CallOptions & { onProgress?: (progress: ImportProgress) => void };

/** The dataset library in its worker. All calls reject with an `NvlmError`. */
export interface DataClient {
  list(): Promise<DatasetSummary[]>;
  create(title: string): Promise<DatasetSummary>;
  rename(id: string, title: string): Promise<DatasetSummary>;
  remove(id: string): Promise<void>;
  restore(id: string): Promise<DatasetSummary>;
  query(id: string, query: RecordQuery): Promise<RecordPage>;
  update(
    id: string,
    record: string,
    patch: Partial<Pick<DatasetRecord, 'task' | 'messages' | 'heldOut'>>,
  ): Promise<DatasetSummary>;
  add(id: string, after: string | null, withPicture: boolean): Promise<string>;
  duplicate(id: string, record: string): Promise<string>;
  removeRecords(id: string, records: string[]): Promise<RemovedRecord[]>;
  putBack(id: string, removed: RemovedRecord[]): Promise<DatasetSummary>;
  split(id: string, ratio: number, seed: number): Promise<DatasetSummary>;
  describe(source: ImportSource, options?: CallOptions): Promise<TableDescription[]>;
  import(
    target: ImportTarget,
    source: ImportSource,
    mapping: ColumnMapping | null,
    options?: WorkOptions,
  ): Promise<{ id: string; report: ImportReport }>;
  generate(
    target: ImportTarget,
    request: GenerateRequest,
    options?: WorkOptions,
  ): Promise<{ id: string; report: ImportReport }>;
  thumbnail(id: string, path: string): Promise<Blob>;
  preview(id: string, record: string, model: ModelSource, maxTiles: number | null): Promise<ExamplePreview>;
  export(id: string): Promise<Blob>;
}

interface Host {
  service: Comlink.Remote<DataService>;
  died: Promise<never>;
  /** Ends the worker; every call that waits for it rejects. */
  end(error: NvlmError): void;
}

/** A damaged parquet file can keep its reader turning for ever: a worker that does not stop when asked is ended. */
const PATIENCE_MS = 5000;

function createDataClient(): DataClient {
  let host: Host | null = null;
  let lastId = 0;

  /** The worker starts with the first call; one that ended in an error is replaced at the next. */
  function spawn(): Host {
    const worker = new Worker(new URL('../../../../workers/data.worker.ts', import.meta.url), {
      type: 'module',
      name: 'data',
    });
    let end!: Host['end'];
    const died = new Promise<never>((_, reject) => {
      end = (error) => {
        if (host?.died === died) host = null;
        worker.terminate();
        reject(error);
      };
    });
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      end(workerLost(event.message));
    });
    died.catch(() => undefined);
    return { service: Comlink.wrap<DataService>(worker), died, end };
  }

  async function call<T>(
    work: (service: Comlink.Remote<DataService>, id: CallId) => Promise<Reply<T>>,
    signal?: AbortSignal,
  ): Promise<T> {
    if (signal?.aborted) throw cancelled();
    const { service, died, end } = (host ??= spawn());
    const id = ++lastId;
    let patience: ReturnType<typeof setTimeout> | undefined;
    const cancel = () => {
      void service.cancel(id);
      patience = setTimeout(() => end(cancelled()), PATIENCE_MS);
    };
    signal?.addEventListener('abort', cancel);
    try {
      const reply = await Promise.race([work(service, id), died]);
      if (!reply.ok) throw fromPlainError(reply.error);
      return reply.value;
    } finally {
      clearTimeout(patience);
      signal?.removeEventListener('abort', cancel);
    }
  }

  const ignore = () => undefined;
  return {
    list: () => call((service) => service.list()),
    create: (title) => call((service) => service.create(title)),
    rename: (id, title) => call((service) => service.rename(id, title)),
    remove: (id) => call((service) => service.remove(id)),
    restore: (id) => call((service) => service.restore(id)),
    query: (id, query) => call((service) => service.query(id, query)),
    update: (id, record, patch) => call((service) => service.update(id, record, patch)),
    add: (id, after, withPicture) => call((service) => service.add(id, after, withPicture)),
    duplicate: (id, record) => call((service) => service.duplicate(id, record)),
    removeRecords: (id, records) => call((service) => service.removeRecords(id, records)),
    putBack: (id, removed) => call((service) => service.putBack(id, removed)),
    split: (id, ratio, seed) => call((service) => service.split(id, ratio, seed)),
    describe: (source, { signal } = {}) => call((service, id) => service.describe(id, source), signal),
    import: (target, source, mapping, { signal, onProgress = ignore } = {}) =>
      call((service, id) => service.import(id, target, source, mapping, Comlink.proxy(onProgress)), signal),
    generate: (target, request, { signal, onProgress = ignore } = {}) =>
      call((service, id) => service.generate(id, target, request, Comlink.proxy(onProgress)), signal),
    thumbnail: (id, path) => call((service) => service.thumbnail(id, path)),
    preview: (id, record, model, maxTiles) => call((service) => service.preview(id, record, model, maxTiles)),
    export: (id) => call((service) => service.export(id)),
  };
}

function workerLost(why: string): NvlmError {
  return new NvlmError('internal', `The data worker stopped. ${why}`.trim(), 'Try again: what was saved is kept.');
}

/** One for the page; its worker starts when it is first asked. */
export const dataClient: DataClient = createDataClient();
