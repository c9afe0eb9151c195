import { encodePng } from '../tiling/encode-png.ts';
import { throwIfAborted } from '../errors.ts';
import type { PictureSink } from './import/import-files.ts';
import { bytesFile } from './import/source-file.ts';
import type { DatasetRecord, GenerateRequest, ImportProgress } from './types.ts';

/** As many as tell the accuracy on a lesson to a few percent. */
const MOST_HELD_OUT = 40;

/** Draws pictures of the world that the nano models know, or of a new thing in it, with questions and answers. */
export async function generateRecords(
  request: GenerateRequest,
  sink: PictureSink,
  { signal, onProgress }: { signal?: AbortSignal; onProgress?: (progress: ImportProgress) => void },
): Promise<{ records: DatasetRecord[]; pictures: number }> {
  const { records, pictures } = await plannedPictures(request);
  const paths = new Map<string, string>();
  for (const [i, picture] of pictures.entries()) {
    throwIfAborted(signal);
    onProgress?.({ what: 'Drawing pictures', done: i, total: pictures.length, unit: 'records' });
    paths.set(picture.path, await sink.add(bytesFile(picture.path, await encodePng(picture.draw()))));
  }
  const made = records.map(({ id, task, image, conversations, heldOut }) => ({
    id,
    task,
    image: image === undefined ? null : paths.get(image)!,
    messages: conversations.map(({ from, value }) => ({
      role: from === 'human' ? ('user' as const) : ('assistant' as const),
      content: value,
    })),
    heldOut,
  }));
  return { records: made, pictures: paths.size };
}

/** What is to be drawn. The glyphs are large, so the drawing code comes only now. */
async function plannedPictures({ pictures: count, seed, kinds, lesson }: GenerateRequest) {
  if (lesson) {
    const { teachDataset } = await import('../desk/teach.ts');
    const set = teachDataset(lesson, { count, seed, heldOut: Math.min(count, MOST_HELD_OUT), replay: 0 });
    const marked = (records: typeof set.records, heldOut: boolean) => records.map((record) => ({ ...record, heldOut }));
    return { records: [...marked(set.records, false), ...marked(set.heldOut, true)], pictures: set.pictures };
  }
  const { deskDataset } = await import('../desk/data.ts');
  const { records, pictures } = deskDataset({ count, seed });
  const kindOf = (task: string) => task.slice(0, task.includes(':') ? task.indexOf(':') : undefined);
  const chosen = records.filter(({ task }) => kinds.length === 0 || kinds.includes(kindOf(task)));
  const used = new Set(chosen.flatMap(({ image }) => image ?? []));
  return {
    records: chosen.map((record) => ({ ...record, heldOut: false })),
    pictures: pictures.filter(({ path }) => used.has(path)),
  };
}
