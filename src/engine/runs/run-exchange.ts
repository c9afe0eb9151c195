import { NvlmError } from '../../errors.ts';
import { pathParts } from '../../files/file-path.ts';
import type { Folder } from '../../files/folder.ts';
import { subfolder } from '../../files/subfolder.ts';
import { ADAPTER_CONFIG } from '../../nvlm/adapters/adapter-config.ts';
import { ADAPTER_WEIGHTS } from '../../nvlm/adapters/peft.ts';
import { parseRun } from '../../training/run-config.ts';
import { checkpointStep } from '../../training/checkpoint.ts';
import { hubId, parseHubId } from '../../weights/hub-address.ts';
import type { ModelSource } from '../api.ts';
import { isBundled } from '../models/bundled-models.ts';
import { modelAddress } from '../models/model-address.ts';
import { datasetPlace } from './run-data.ts';
import { INIT, INIT_FILES } from './run-init.ts';
import { newRunId, parseStoredRun, STATE, type RunStore, type StoredRun } from './run-store.ts';
import { CHECKPOINT, LOG, MODEL, SAMPLES } from './train.ts';
import type { ExportedFile, RunExport, RunRequest } from './training-api.ts';

/** The run file in an exported folder; `nvlm train` leaves one as well. */
export const RUN_FILE = 'run.json';
/** The datasets in an exported folder, by what the run file needs them for. */
const DATA = ['data', 'text', 'blend', 'held_out'] as const;
type DataKey = (typeof DATA)[number];

/** What of an imported folder is a run's own; everything else but its data is left out. */
const OWN_FILES: readonly string[] = [CHECKPOINT, LOG, SAMPLES, ADAPTER_CONFIG, ADAPTER_WEIGHTS, ...INIT_FILES];

/**
 * A run's files. The whole folder brings its data along and a run file whose paths are the folder's own, so that
 * `nvlm train --config run.json --resume` goes on with it as it lies.
 *
 * @throws NvlmError `not-found`
 */
export async function exportRun(store: RunStore, files: Folder, id: string, what: RunExport): Promise<ExportedFile[]> {
  const run = await store.read(id);
  const folder = store.folder(id);
  if (what === 'adapter') return orNone(await readFiles(folder, [ADAPTER_CONFIG, ADAPTER_WEIGHTS]), 'adapter');
  if (what === 'model') return orNone(await readBelow(folder, MODEL, ''), 'model');
  const own = await readBelow(folder, undefined, '');
  const out = own.filter(({ path }) => !DATA.some((key) => path.startsWith(`${key}/`)));
  const file: Record<string, unknown> = { ...runFileOf(run.request), out: '.' };
  const { lora } = file as { lora?: { init?: unknown } };
  if (lora?.init) file['lora'] = { ...lora, init: INIT };
  for (const key of DATA) {
    const dataset = datasetOf(file, key);
    if (dataset === null) continue;
    out.push(...(await readBelow(files, datasetPlace(dataset), `${key}/`)));
    setDataset(file, key, key);
  }
  out.push({ path: RUN_FILE, bytes: new TextEncoder().encode(`${JSON.stringify(file, null, 2)}\n`) });
  return out;
}

/**
 * Takes over a run's folder. Its data comes along when it lies in the folder; otherwise the dataset must be here for the
 * run to go on.
 *
 * @throws NvlmError `bad-data` when the files are no run
 */
export async function importRun(store: RunStore, files: Folder, given: readonly ExportedFile[]): Promise<StoredRun> {
  const all = new Map(withoutCommonFolder(given).map(({ path, bytes }) => [pathParts(path).join('/'), bytes]));
  const stored = parseStoredRun(all.get(STATE) ?? null);
  const file = readRunFile(all.get(RUN_FILE)) ?? (stored && runFileOf(stored.request));
  if (!file) {
    throw new NvlmError(
      'bad-data',
      `These files are no run: there is neither ${RUN_FILE} nor ${STATE}.`,
      'Choose the whole folder that a run was exported to, or that nvlm train has written.',
    );
  }
  const id = newRunId();
  for (const key of DATA) {
    const here = [...all].filter(([path]) => path.startsWith(`${key}/`));
    const known = stored && datasetOf(runFileOf(stored.request), key);
    if (here.length > 0) setDataset(file, key, await keepDataset(files, key, `runs/${id}/${key}`, here, known));
    else if (known) setDataset(file, key, known);
  }
  const config = parseRun(file, RUN_FILE);
  const folder = store.folder(id);
  for (const [path, bytes] of all) {
    if (OWN_FILES.includes(path) || path.startsWith(`${MODEL}/`)) await folder.write(path, bytes);
  }
  const checkpoint = all.get(CHECKPOINT);
  const step = checkpoint ? checkpointStep(checkpoint, CHECKPOINT) : 0;
  const isFinished = checkpoint !== undefined && step >= config.steps;
  const now = Date.now();
  const { sample_every: sampleEvery, samples, held_out_every: heldOutEvery, out, ...own } = file;
  const isStoredModel = stored !== null && modelName(stored.request.model) === config.model;
  const request: RunRequest = {
    title: stored?.title ?? 'Imported run',
    model: isStoredModel ? stored.request.model : sourceOf(config.model),
    run: own,
    sampleEvery: config.sampleEvery,
    samples: config.samples,
    heldOutEvery: config.heldOutEvery,
  };
  const run: StoredRun = {
    id,
    title: request.title,
    request,
    state: isFinished ? 'finished' : 'paused',
    step,
    steps: config.steps,
    createdAt: stored?.createdAt ?? now,
    changedAt: now,
    note: isFinished ? null : 'It was brought in from elsewhere and goes on from its checkpoint.',
    result: isFinished ? (config.lora ? 'adapter' : all.has(`${MODEL}/config.json`) ? 'model' : null) : null,
    modelFingerprint: isStoredModel ? stored.modelFingerprint : null,
  };
  await store.write(run);
  return run;
}

/** A request as `nvlm train` takes it, with ids in the place of paths. */
export function runFileOf({ model, run, sampleEvery, samples, heldOutEvery }: RunRequest): Record<string, unknown> {
  const own = { sample_every: sampleEvery, samples, held_out_every: heldOutEvery };
  return { ...run, model: modelName(model), ...own };
}

function datasetOf(file: Record<string, unknown>, key: DataKey): string | null {
  const value = key === 'text' || key === 'blend' ? (file[key] as { data?: unknown } | null)?.data : file[key];
  return typeof value === 'string' ? value : null;
}

function setDataset(file: Record<string, unknown>, key: DataKey, value: string): void {
  if (key === 'text' || key === 'blend') file[key] = { ...(file[key] as object | undefined), data: value };
  else file[key] = value;
}

/** The dataset that it was exported from when that is here and still the same, else a copy in the run's folder. */
async function keepDataset(
  files: Folder,
  key: DataKey,
  id: string,
  here: [path: string, bytes: Uint8Array][],
  known: string | null,
): Promise<string> {
  const inside = (path: string) => path.slice(key.length + 1);
  if (known !== null) {
    const own = await readBelow(files, datasetPlace(known), '');
    const same = new Map(own.map(({ path, bytes }) => [path, bytes]));
    if (here.every(([path, bytes]) => equalBytes(same.get(inside(path)), bytes))) return known;
  }
  const folder = subfolder(files, id);
  for (const [path, bytes] of here) await folder.write(inside(path), bytes);
  return id;
}

/** As `--model` takes it. */
function modelName(source: ModelSource): string {
  if (source.kind === 'url') return source.url;
  return source.kind === 'hub' ? hubId(source) : modelAddress(source);
}

/** Where a run file's model comes from. */
function sourceOf(model: string): ModelSource {
  if (isBundled(model)) return { kind: 'bundled', id: model };
  if (/^https?:\/\//i.test(model)) return { kind: 'url', url: model };
  const hub = parseHubId(model);
  return hub ? { kind: 'hub', ...hub } : { kind: 'folder', path: model };
}

async function readFiles(folder: Folder, paths: readonly string[]): Promise<ExportedFile[]> {
  const files: ExportedFile[] = [];
  for (const path of paths) {
    const bytes = await folder.read(path);
    if (bytes) files.push({ path, bytes });
  }
  return files;
}

/** Everything below a folder, under names that begin with `prefix` instead. */
async function readBelow(folder: Folder, place: string | undefined, prefix: string): Promise<ExportedFile[]> {
  const paths = (await folder.list(place)).map(({ path }) => path);
  const from = place === undefined ? 0 : place.length + 1;
  return (await readFiles(folder, paths)).map(({ path, bytes }) => ({ path: prefix + path.slice(from), bytes }));
}

function orNone(files: ExportedFile[], what: string): ExportedFile[] {
  if (files.length > 0) return files;
  throw new NvlmError('not-found', `This run has left no ${what}.`, 'Let it come to its end, or export the whole run.');
}

/** Choosing a folder puts its name before every path. */
function withoutCommonFolder(files: readonly ExportedFile[]): readonly ExportedFile[] {
  const top = files[0]?.path.split('/')[0];
  if (files.some(({ path }) => path === STATE || path === RUN_FILE)) return files;
  if (!top || !files.every(({ path }) => path.startsWith(`${top}/`))) return files;
  return files.map(({ path, bytes }) => ({ path: path.slice(top.length + 1), bytes }));
}

const MOST_RUN_BYTES = 2 ** 20;

function readRunFile(bytes: Uint8Array | undefined): Record<string, unknown> | null {
  if (!bytes || bytes.length > MOST_RUN_BYTES) return null;
  try {
    const json = JSON.parse(new TextDecoder().decode(bytes)) as unknown;
    return typeof json === 'object' && json !== null && !Array.isArray(json) ? { ...json } : null;
  } catch {
    return null;
  }
}

function equalBytes(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && a.length === b.length && a.every((byte, i) => byte === b[i]);
}
