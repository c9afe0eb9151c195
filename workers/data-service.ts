import { describeFiles } from '../src/datasets/import/import-files.ts';
import { blobFile, type SourceFile } from '../src/datasets/import/source-file.ts';
import type { DatasetLibrary, WorkOptions } from '../src/datasets/library.ts';
import { remoteFile } from '../src/datasets/remote-file.ts';
import type { ImportReport } from '../src/datasets/types.ts';
import type { ModelSource } from '../src/engine/api.ts';
import type { EnginePlatform } from '../src/engine/platform.ts';
import { previewExample } from '../src/engine/runs/preview-example.ts';
import { openTextSide, type TextSide } from '../src/engine/chat/text-side.ts';
import { readModelDescription } from '../src/weights/model-folder.ts';
import { LIBRARY_METHODS, type DataApi, type ImportSource, type ImportTarget, type LibraryMethods } from './data-api.ts';

const MOST_THUMBNAILS = 400;

/** @param lasts whether what the library writes outlives the tab */
export function createDataService(
  library: DatasetLibrary,
  models: Pick<EnginePlatform, 'openFiles'>,
  lasts: () => Promise<boolean>,
): DataApi {
  const thumbnails = new Map<string, Promise<Blob>>();
  let text: { model: string; side: Promise<TextSide> } | null = null;

  async function adding(target: ImportTarget, work: (id: string) => Promise<ImportReport>): Promise<{ id: string; report: ImportReport }> {
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
    const onBytes = (done: number, total: number) => options.onProgress?.({ what: 'Reading from the web', done, total, unit: 'bytes' });
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
    ...(Object.fromEntries(LIBRARY_METHODS.map((name) => [name, library[name].bind(library)])) as unknown as LibraryMethods),
    lasts,
    describe: async (source, options = {}) => describeFiles(await open(source, options)),
    async import(target, source, choices, given = {}) {
      const options = thinned(given);
      const files = await open(source, options);
      return adding(target, (id) => library.import(id, files, choices, options));
    },
    generate: (target, request, options = {}) => adding(target, (id) => library.generate(id, request, thinned(options))),
    thumbnail(id, path) {
      const key = `${id}/${path}`;
      let made = thumbnails.get(key);
      if (!made) {
        made = library.picture(id, path).then(shrink);
        thumbnails.set(key, made);
        made.catch(() => thumbnails.delete(key));
        if (thumbnails.size > MOST_THUMBNAILS) thumbnails.delete(thumbnails.keys().next().value!);
      }
      return made;
    },
    preview: async (id, record, model, maxTiles) =>
      previewExample(await textSide(model), await library.record(id, record), (path) => library.picture(id, path), maxTiles),
    async export(id) {
      // Pieces become blobs at once, which the browser may keep on the disk.
      const parts: Blob[] = [];
      for await (const part of await library.export(id)) parts.push(new Blob([part as Uint8Array<ArrayBuffer>]));
      return new Blob(parts, { type: 'application/zip' });
    },
  };
}

/** No more than one event in this time: each is a message that the page has to take. */
const EVENT_EVERY_MS = 80;

/** Leaves out progress that follows other progress too soon. */
function thinned({ signal, onProgress }: WorkOptions): WorkOptions {
  let next = 0;
  return {
    signal,
    onProgress(progress) {
      if (performance.now() < next) return;
      next = performance.now() + EVENT_EVERY_MS;
      onProgress?.(progress);
    },
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
