import { NvlmError } from '../../errors.ts';
import type { Folder } from '../../files/folder.ts';
import { subfolder } from '../../files/subfolder.ts';
import { keptSource } from './run-model.ts';
import type { RunSummary } from './training-api.ts';

/** A run's folder holds this beside what `nvlm train` writes. */
export const STATE = 'state.json';

/** What {@link STATE} holds. */
export interface StoredRun extends Omit<RunSummary, 'bytes' | 'needsModel'> {
  /** Of a model on the visitor's disk or a bundled one, see `fingerprintModel`; null until it was opened, and for all others. */
  modelFingerprint: string | null;
}

const FOLDER = 'runs';

/** The runs of one folder, each in `runs/<id>`. */
export class RunStore {
  constructor(private readonly files: Folder) {}

  folder(id: string): Folder {
    return subfolder(this.files, `${FOLDER}/${id}`);
  }

  /** @throws NvlmError `not-found` */
  async read(id: string): Promise<StoredRun> {
    const stored = parseStoredRun(await this.folder(id).read(STATE));
    if (stored) return { ...stored, id };
    throw new NvlmError('not-found', 'There is no such run.', 'Choose one of the list; it may have been deleted.');
  }

  async write(run: StoredRun): Promise<void> {
    run.changedAt = Date.now();
    const kept = { ...run, request: { ...run.request, model: keptSource(run.request.model) } };
    await this.folder(run.id).write(STATE, new TextEncoder().encode(JSON.stringify(kept)));
  }

  /** Newest first, with the bytes of all their files. */
  async all(): Promise<{ run: StoredRun; bytes: number }[]> {
    const bytes = new Map<string, number>();
    for (const file of await this.files.list(FOLDER)) {
      const id = file.path.split('/')[1]!;
      bytes.set(id, (bytes.get(id) ?? 0) + file.bytes);
    }
    const runs: { run: StoredRun; bytes: number }[] = [];
    for (const [id, size] of bytes) {
      const run = await this.read(id).catch(() => null);
      if (run) runs.push({ run, bytes: size });
    }
    return runs.sort((a, b) => b.run.createdAt - a.run.createdAt);
  }

  async bytes(id: string): Promise<number> {
    return (await this.folder(id).list()).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async remove(id: string): Promise<void> {
    await this.files.remove(`${FOLDER}/${id}`);
  }
}

/** A name for a new run, which also stands in the page's address. */
export function newRunId(): string {
  const random = crypto.getRandomValues(new Uint8Array(6));
  return [...random].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

const STATES: readonly unknown[] = ['running', 'paused', 'finished', 'failed'];
const RESULTS: readonly unknown[] = [null, 'adapter', 'model'];

/** null for anything else: the file may have come from elsewhere. */
export function parseStoredRun(bytes: Uint8Array | null): StoredRun | null {
  if (!bytes) return null;
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
  const run = json as StoredRun | null;
  const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
  const fits =
    typeof run === 'object' &&
    run !== null &&
    typeof run.title === 'string' &&
    isObject(run.request) &&
    isObject(run.request.run) &&
    isObject(run.request.model) &&
    STATES.includes(run.state) &&
    RESULTS.includes(run.result) &&
    isTextOrNull(run.note) &&
    isTextOrNull(run.modelFingerprint ?? null) &&
    [run.step, run.steps, run.createdAt, run.changedAt].every(isCount);
  return fits ? { ...run, modelFingerprint: run.modelFingerprint ?? null } : null;
}

function isTextOrNull(value: unknown): boolean {
  return value === null || typeof value === 'string';
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
