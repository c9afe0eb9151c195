import type { Session } from '../chat/session.ts';
import type { Inside } from '../inside/inside.ts';
import type { LoadSettings, ModelSource } from '../api.ts';
import { modelAddress } from './model-address.ts';
import type { ModelRecord } from './model-records.ts';

export interface Loaded {
  id: string;
  session: Session;
  inside: Inside;
  record: ModelRecord;
  warnings: string[];
  /** Without adapters of its own and with its weights in memory: what a load without either would be. */
  plain: boolean;
}

/** The models in memory: one that answers, and those that are kept beside it. */
export class HeldModels {
  answering: Loaded | null = null;
  /** By id: those that wait for their turn. */
  private readonly kept = new Map<string, Loaded>();

  all(): Loaded[] {
    return [...(this.answering ? [this.answering] : []), ...this.kept.values()];
  }

  has(id: string): boolean {
    return this.answering?.id === id || this.kept.has(id);
  }

  /** One of these settings that is in memory already. */
  find(source: ModelSource, settings: LoadSettings): Loaded | null {
    const id = modelAddress(source);
    const held = this.answering?.id === id ? this.answering : this.kept.get(id);
    const same = held?.plain && JSON.stringify(held.record.settings) === JSON.stringify(settings) && sameFiles(held.record.source, source);
    return same ? held : null;
  }

  /** The model that answers from now on. @param beside ids of those that stay in memory, the one before among them */
  answerWith(next: Loaded, beside: readonly string[]): void {
    const before = this.answering;
    const old = this.kept.get(next.id);
    if (old && old !== next) free(old);
    if (before && before !== next) {
      if (before.id !== next.id && beside.includes(before.id)) {
        before.inside.close();
        this.kept.set(before.id, before);
      } else {
        free(before);
      }
    }
    this.kept.delete(next.id);
    this.answering = next;
    this.keepOnly(beside);
  }

  unload(): void {
    if (this.answering) free(this.answering);
    this.answering = null;
    this.keepOnly([]);
  }

  /** Their device went away, and all they had on it. */
  forget(): void {
    this.answering = null;
    this.kept.clear();
  }

  private keepOnly(ids: readonly string[]): void {
    for (const [id, one] of this.kept) {
      if (ids.includes(id)) continue;
      this.kept.delete(id);
      free(one);
    }
  }
}

function free({ inside, session }: Loaded): void {
  inside.close();
  session.dispose();
}

/** Other files may come under the name of a folder that was dropped before. */
function sameFiles(a: ModelSource, b: ModelSource): boolean {
  if (a.kind !== 'files' || b.kind !== 'files') return true;
  const about = ({ files }: typeof a) =>
    files
      .map(({ path, blob }) => [path, blob.size, blob instanceof File ? blob.lastModified : 0].join())
      .sort()
      .join('\n');
  return about(a) === about(b);
}
