import type { BlobStore } from '../../files/blobs/store.ts';
import type { FamilySummary, ModelEntry, ModelSource } from '../api.ts';
import type { RunSummary } from '../runs/training-api.ts';
import { BUNDLED_MODELS } from './bundled-models.ts';
import { familySummary } from './family-summary.ts';
import type { HeldModels } from './held-models.ts';
import { modelAddress, modelTitle } from './model-address.ts';
import { isKept, readRecords, storedBytesOf } from './model-records.ts';

/** Of a run whose base is not here any more. */
const UNKNOWN_FAMILY: FamilySummary = {
  id: 'unknown',
  title: 'tuned',
  words: 'Its base model is not here any more.',
  crossAttends: false,
  onePicture: null,
};
const OWN_NOTE = 'A model of your own: what it can do is for its publisher to say.';

/** What there is to load, by where it comes from: bundled, stored from elsewhere, and in memory. */
export async function modelEntries(store: BlobStore | null, held: HeldModels): Promise<ModelEntry[]> {
  const usage = (await store?.usage()) ?? [];
  const offered = BUNDLED_MODELS.filter(({ id, isStart }) => !isStart || held.has(id));
  const bundled = offered.map(({ isStart: _, ...model }) => {
    const source: ModelSource = { kind: 'bundled', id: model.id };
    return { ...model, family: familySummary(model.family)!, source, takesPictures: true, settings: null };
  });
  const stored = store ? await readRecords(store, usage) : [];
  const own = stored.map((record) => ({ ...record, id: modelAddress(record.source), note: OWN_NOTE }));
  const others = held.all().filter((one) => ![...bundled, ...own].some(({ id }) => id === one.id));
  return [...bundled, ...own, ...others.map(({ id, record }) => ({ ...record, id, note: OWN_NOTE }))].map((entry) => {
    const storedBytes = storedBytesOf(entry.source, usage);
    const isElsewhere = store === null || !(isKept(entry.source) || entry.source.kind === 'bundled');
    return {
      ...entry,
      storage: isElsewhere ? 'files' : storedBytes > 0 ? store.kind : null,
      storedBytes,
      loaded: held.answering?.id === entry.id,
    };
  });
}

/** With what finished runs have left, each of the kind of the model that it began with. */
export function withTunedModels(entries: readonly ModelEntry[], runs: readonly RunSummary[], held: HeldModels): ModelEntry[] {
  const finished = runs.filter(({ result }) => result === 'model');
  const tuned = finished.map(({ id, title, bytes, request }): ModelEntry => {
    const source: ModelSource = { kind: 'run', id };
    const base = entries.find((entry) => entry.id === modelAddress(request.model));
    return {
      id: modelAddress(source),
      title,
      source,
      family: base?.family ?? UNKNOWN_FAMILY,
      parameters: base?.parameters ?? 0,
      bytes,
      takesPictures: base?.takesPictures ?? true,
      settings: {},
      storage: 'files',
      storedBytes: 0,
      loaded: held.answering?.id === modelAddress(source),
      note: `Tuned here, from ${base?.title ?? modelTitle(request.model)}.`,
    };
  });
  return [...entries.filter(({ id }) => !tuned.some((entry) => entry.id === id)), ...tuned];
}
