import { NvlmError } from '../../errors.ts';
import type { ImportNote, ImportProblem } from '../types.ts';

/** So many fields of a file are named; further ones are counted. */
const MOST_NAMED = 20;
const MOST_PASSED_OVER = 200;

/** What could not be used, in the order in which it was met. */
export class Problems {
  readonly listed: ImportProblem[] = [];
  count = 0;

  /** @param most how many are listed; further ones are only counted */
  constructor(private readonly most: number) {}

  add(where: string, reason: string, times = 1): void {
    this.count += times;
    if (this.listed.length < this.most) this.listed.push({ where, reason: reason.replace(/\.$/, '') });
  }

  addAll(problems: readonly ImportProblem[]): void {
    for (const { where, reason } of problems) this.add(where, reason);
  }

  /** What is wrong with one row or file alone is listed; all else ends the import. */
  async unless(where: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const own = error instanceof NvlmError && ['bad-image', 'image-too-large', 'bad-data'].includes(error.code);
      if (!own) throw error;
      this.add(where, error.message);
    }
  }
}

/** What came in without some part of it: by file, so that a field which every row has is said once. */
export class Notes {
  private readonly files = new Map<string, Map<string, number>>();
  private readonly passedOver: ImportNote[] = [];
  private readonly pictures: ImportNote[] = [];

  /** Files that were passed over, and why. */
  passOver(where: string, reason: string): void {
    if (this.passedOver.length < MOST_PASSED_OVER) this.passedOver.push({ about: 'files', where, reason });
  }

  /** A picture that a model sees otherwise than people do. */
  picture(where: string, reason: string): void {
    if (this.pictures.length < MOST_PASSED_OVER) this.pictures.push({ about: 'pictures', where, reason });
  }

  /** Fields of a row that no record holds. */
  unread(file: string, names: readonly string[]): void {
    const fields = this.files.get(file) ?? new Map<string, number>();
    this.files.set(file, fields);
    for (const name of names) fields.set(name, (fields.get(name) ?? 0) + 1);
  }

  list(): ImportNote[] {
    const unread = [...this.files].flatMap(([where, fields]): ImportNote[] =>
      fields.size > 0 ? [{ about: 'fields', where, reason: unreadText(fields) }] : [],
    );
    return [...this.passedOver, ...this.pictures, ...unread];
  }
}

function unreadText(fields: ReadonlyMap<string, number>): string {
  const named = [...fields]
    .slice(0, MOST_NAMED)
    .map(([name, rows]) => `${name.slice(0, 60) || '(no name)'} (${rows} ${rows === 1 ? 'row' : 'rows'})`);
  const more = fields.size > MOST_NAMED ? ` and ${fields.size - MOST_NAMED} more` : '';
  return `not read: ${named.join(', ')}${more}`;
}
