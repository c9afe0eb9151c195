import { NvlmError, toPlainError } from '../../errors.ts';
import type { Folder } from '../../files/folder.ts';
import { ADAPTER_CONFIG } from '../../nvlm/adapters/adapter-config.ts';
import { ADAPTER_WEIGHTS, adapterMisfit, outlineAdapter, type AdapterOutline, type LinearSizes } from '../../nvlm/adapters/peft.ts';
import { parseSafetensors } from '../../weights/safetensors.ts';
import { adapterFilesOf, parseAdapterConfig, type AdapterFiles } from './adapter.ts';
import type { AdapterEntry, ExportedFile } from '../runs/training-api.ts';

const FOLDER = 'adapters';
const RUNS = 'runs';
/** What this program knows of an imported adapter beside PEFT's two files. */
const RECORD = 'adapter.json';
const MOST_CONFIG_BYTES = 2 ** 20;
/** It has to be held whole; LoRA adapters of 70B models stay below. */
const MOST_WEIGHT_BYTES = 2 ** 30;
const MOST_TITLE = 120;

/** A finished LoRA run, whose folder holds its adapter. */
export interface RunAdapter {
  id: string;
  title: string;
}

interface Known {
  outline: AdapterOutline;
  title: string;
  bytes: number;
  /** Why it cannot be used on any model: a version of this program may have kept what a later one refuses. */
  problem: string | null;
}

/** Of what cannot be read. */
const NOTHING: AdapterOutline = { base: null, parts: [] };

/** The adapters of this browser: those of its runs, and those that were brought in. */
export class AdapterLibrary {
  private readonly known = new Map<string, Known>();

  /** @param runs the finished LoRA runs */
  constructor(
    private readonly folder: Folder,
    private readonly runs: () => Promise<RunAdapter[]>,
  ) {}

  /** @param model the loaded one, which each is checked against */
  async list(model: LinearSizes | null): Promise<AdapterEntry[]> {
    const entries: AdapterEntry[] = [];
    for (const { id, title } of await this.runs()) {
      const found = await this.describe(`${RUNS}/${id}`, title);
      if (found) entries.push(entryOf(id, 'run', found, model));
    }
    const files = await this.folder.list(FOLDER);
    const ids = [...new Set(files.map(({ path }) => path.split('/')[1] ?? ''))].filter(Boolean);
    for (const id of ids) {
      const found = await this.describe(`${FOLDER}/${id}`, null);
      if (found) entries.push(entryOf(id, 'import', found, model));
    }
    return entries;
  }

  /** @throws NvlmError `bad-model`, `unsupported-model`, `storage-full` */
  async import(title: string, files: readonly ExportedFile[], model: LinearSizes | null): Promise<AdapterEntry> {
    const config = pick(files, ADAPTER_CONFIG, MOST_CONFIG_BYTES);
    const weights = pick(files, ADAPTER_WEIGHTS, MOST_WEIGHT_BYTES);
    const outline = outlineAdapter(parseAdapterConfig(config), parseSafetensors(weights, ADAPTER_WEIGHTS));
    const id = `a${crypto.randomUUID().slice(0, 8)}`;
    const record = { title: title.trim().slice(0, MOST_TITLE) || 'Adapter', outline };
    await this.folder.write(`${FOLDER}/${id}/${ADAPTER_CONFIG}`, config);
    await this.folder.write(`${FOLDER}/${id}/${ADAPTER_WEIGHTS}`, weights);
    // The record comes last: a folder without one is an import that was broken off.
    await this.folder.write(`${FOLDER}/${id}/${RECORD}`, new TextEncoder().encode(JSON.stringify(record)));
    const found = { ...record, bytes: config.length + weights.length, problem: null };
    this.known.set(`${FOLDER}/${id}`, found);
    return entryOf(id, 'import', found, model);
  }

  /** @throws NvlmError `usage` for a run's */
  async remove(id: string): Promise<void> {
    if ((await this.placeOf(id)).startsWith(RUNS)) {
      throw new NvlmError('usage', 'This adapter belongs to a run.', 'Delete the run on the Fine-tune screen.');
    }
    await this.folder.remove(`${FOLDER}/${id}`);
    this.known.delete(`${FOLDER}/${id}`);
  }

  /** @throws NvlmError `not-found` */
  async files(id: string): Promise<ExportedFile[]> {
    const place = await this.placeOf(id);
    const read = async (path: string) => {
      const bytes = await this.folder.read(`${place}/${path}`);
      if (!bytes) throw missing(id);
      return { path, bytes };
    };
    return [await read(ADAPTER_CONFIG), await read(ADAPTER_WEIGHTS)];
  }

  /** @throws NvlmError `not-found`, `bad-model` */
  async open(id: string): Promise<AdapterFiles> {
    const [config, weights] = (await this.files(id)) as [ExportedFile, ExportedFile];
    return adapterFilesOf(config.bytes, weights.bytes);
  }

  private async placeOf(id: string): Promise<string> {
    if ((await this.runs()).some((run) => run.id === id)) return `${RUNS}/${id}`;
    // Ids come from addresses: only those that this program makes name a folder.
    if (/^a[0-9a-f]{8}$/.test(id)) return `${FOLDER}/${id}`;
    throw missing(id);
  }

  /** null for an import that was broken off; one broken adapter must not hide the others. */
  private async describe(place: string, title: string | null): Promise<Known | null> {
    const known = this.known.get(place);
    if (known) return title === null ? known : { ...known, title };
    const config = await this.folder.read(`${place}/${ADAPTER_CONFIG}`);
    const weights = await this.folder.read(`${place}/${ADAPTER_WEIGHTS}`);
    const record = title === null ? await this.folder.read(`${place}/${RECORD}`) : null;
    if (!config || !weights || (title === null && !record)) return null;
    const bytes = config.length + weights.length;
    let found: Known;
    try {
      const own = record && (JSON.parse(new TextDecoder().decode(record)) as { title?: unknown }).title;
      found = { outline: NOTHING, title: title ?? String(own), bytes, problem: null };
    } catch {
      return null;
    }
    try {
      found.outline = outlineAdapter(parseAdapterConfig(config), parseSafetensors(weights, ADAPTER_WEIGHTS));
    } catch (error) {
      found.problem = toPlainError(error).message;
    }
    this.known.set(place, found);
    return found;
  }
}

function entryOf(id: string, from: AdapterEntry['from'], known: Known, model: LinearSizes | null): AdapterEntry {
  const { parts, base } = known.outline;
  return {
    id,
    title: known.title,
    base,
    rank: Math.max(0, ...parts.map(({ rank }) => rank)),
    modules: parts.length,
    parameters: parts.reduce((sum, { rank, inFeatures, outFeatures }) => sum + rank * (inFeatures + outFeatures), 0),
    bytes: known.bytes,
    from,
    misfit: known.problem ?? (model && adapterMisfit(parts, model)),
  };
}

/** A file by its name, wherever it lay in the chosen folder or archive. */
function pick(files: readonly ExportedFile[], name: string, mostBytes: number): Uint8Array {
  const found = files.find(({ path }) => path === name || path.endsWith(`/${name}`));
  if (!found) {
    throw new NvlmError(
      'bad-model',
      `There is no ${name} among the files.`,
      `Give both files of a PEFT adapter, ${ADAPTER_CONFIG} and ${ADAPTER_WEIGHTS}, their folder, or a zip of it.`,
    );
  }
  if (found.bytes.length <= mostBytes) return found.bytes;
  throw new NvlmError(
    'bad-model',
    `${name} is larger than ${mostBytes / 2 ** 20} MB.`,
    'Use an adapter of a lower rank, or merge it into its model.',
  );
}

function missing(id: string): NvlmError {
  return new NvlmError('not-found', `There is no adapter “${id}” in this browser.`, 'Import it again, or train one.');
}
