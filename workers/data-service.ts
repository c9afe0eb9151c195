import { describeTables } from '../src/datasets/import/import-files.ts';
import { blobFile, type SourceFile } from '../src/datasets/import/source-file.ts';
import type { DatasetLibrary, RecordPatch, WorkOptions } from '../src/datasets/library.ts';
import { remoteFile } from '../src/datasets/remote-file.ts';
import type {
  ColumnMapping,
  GenerateRequest,
  ImportProgress,
  ImportReport,
  RecordQuery,
  RemovedRecord,
} from '../src/datasets/types.ts';
import type { ModelSource } from '../src/engine/api.ts';
import type { EnginePlatform } from '../src/engine/platform.ts';
import { previewExample } from '../src/engine/runs/preview-example.ts';
import { openTextSide, type TextSide } from '../src/engine/chat/text-side.ts';
import { readModelDescription } from '../src/weights/model-folder.ts';
import { Calls, listening, thinned } from './calls.ts';
import type { CallId } from './engine-service.ts';

/** What is to be imported: files with the folders that they were in, or one at an address. */
export type ImportSource = { files: { path: string; blob: Blob }[] } | { address: string };

/** Where to: a dataset, or a new one of this title. */
export type ImportTarget = { id: string } | { title: string };

export type DataService = ReturnType<typeof createDataService>;

type Listener = (progress: ImportProgress) => unknown;

const MOST_THUMBNAILS = 400;

/** What the data worker exposes: the dataset library, and records as a model will see them. */
export function createDataService(library: DatasetLibrary, models: Pick<EnginePlatform, 'openFiles'>) {
  const calls = new Calls();
  const thumbnails = new Map<string, Promise<Blob>>();
  let text: { model: string; side: Promise<TextSide> } | null = null;

  async function adding(
    target: ImportTarget,
    work: (id: string) => Promise<ImportReport>,
  ): Promise<{ id: string; report: ImportReport }> {
    if ('id' in target) return { id: target.id, report: await work(target.id) };
    const { id } = await library.create(target.title);
    try {
      return { id, report: await work(id) };
    } catch (error) {
      await library.remove(id);
      throw error;
    }
  }

  async function open(source: ImportSource, options: WorkOptions): Promise<SourceFile[]> {
    if ('files' in source) return source.files.map(({ path, blob }) => blobFile(path, blob));
    const onBytes = (done: number, total: number) =>
      options.onProgress?.({ what: 'Reading from the web', done, total, unit: 'bytes' });
    return [await remoteFile(source.address, { signal: options.signal, onBytes })];
  }

  async function textSide(model: ModelSource): Promise<TextSide> {
    const id = JSON.stringify(model);
    if (text?.model === id) return text.side;
    const side = models
      .openFiles(model)
      .then((files) => readModelDescription(files))
      .then(openTextSide);
    text = { model: id, side };
    // A model that could not be read may be there at the next try.
    side.catch(() => void (text = null));
    return side;
  }

  return {
    list: () => calls.reply(() => library.list()),
    create: (title: string) => calls.reply(() => library.create(title)),
    rename: (id: string, title: string) => calls.reply(() => library.rename(id, title)),
    remove: (id: string) => calls.reply(() => library.remove(id)),
    restore: (id: string) => calls.reply(() => library.restore(id)),
    query: (id: string, query: RecordQuery) => calls.reply(() => library.query(id, query)),
    update: (id: string, record: string, patch: RecordPatch) => calls.reply(() => library.update(id, record, patch)),
    add: (id: string, after: string | null, withPicture: boolean) =>
      calls.reply(() => library.add(id, after, withPicture)),
    duplicate: (id: string, record: string) => calls.reply(() => library.duplicate(id, record)),
    removeRecords: (id: string, records: string[]) => calls.reply(() => library.removeRecords(id, records)),
    putBack: (id: string, removed: RemovedRecord[]) => calls.reply(() => library.putBack(id, removed)),
    split: (id: string, ratio: number, seed: number) => calls.reply(() => library.split(id, ratio, seed)),
    describe: (call: CallId, source: ImportSource) =>
      calls.cancellable(call, async (signal) => describeTables(await open(source, { signal }))),
    import: (
      call: CallId,
      target: ImportTarget,
      source: ImportSource,
      mapping: ColumnMapping | null,
      listener: Listener,
    ) =>
      calls.cancellable(call, (signal) =>
        listening(listener, async (emit) => {
          const options = { signal, onProgress: thinned(emit) };
          const files = await open(source, options);
          return adding(target, (id) => library.import(id, files, mapping, options));
        }),
      ),
    generate: (call: CallId, target: ImportTarget, request: GenerateRequest, listener: Listener) =>
      calls.cancellable(call, (signal) =>
        listening(listener, (emit) =>
          adding(target, (id) => library.generate(id, request, { signal, onProgress: thinned(emit) })),
        ),
      ),
    thumbnail: (id: string, path: string) =>
      calls.reply(() => {
        const key = `${id}/${path}`;
        let made = thumbnails.get(key);
        if (!made) {
          made = library.picture(id, path).then(shrink);
          thumbnails.set(key, made);
          made.catch(() => thumbnails.delete(key));
          if (thumbnails.size > MOST_THUMBNAILS) thumbnails.delete(thumbnails.keys().next().value!);
        }
        return made;
      }),
    preview: (id: string, record: string, model: ModelSource, maxTiles: number | null) =>
      calls.reply(async () =>
        previewExample(
          await textSide(model),
          await library.record(id, record),
          (path) => library.picture(id, path),
          maxTiles,
        ),
      ),
    export: (id: string) =>
      calls.reply(async () => {
        // Pieces become blobs at once, which the browser may keep on the disk.
        const parts: Blob[] = [];
        for await (const part of await library.export(id)) parts.push(new Blob([part as Uint8Array<ArrayBuffer>]));
        return new Blob(parts, { type: 'application/zip' });
      }),
    cancel: (call: CallId) => calls.cancel(call),
  };
}

/** Twice the size at which lists show them. */
const THUMBNAIL_PIXELS = 224;

async function shrink(bytes: Uint8Array): Promise<Blob> {
  const bitmap = await createImageBitmap(new Blob([bytes as Uint8Array<ArrayBuffer>]));
  try {
    const scale = Math.min(1, THUMBNAIL_PIXELS / Math.max(bitmap.width, bitmap.height));
    const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
    const canvas = new OffscreenCanvas(width!, height!);
    canvas.getContext('2d')!.drawImage(bitmap, 0, 0, width!, height!);
    return await canvas.convertToBlob({ type: 'image/png' });
  } finally {
    bitmap.close();
  }
}
