import { NvlmError } from '../../errors.ts';
import { folderOf, type SourceFile } from './source-file.ts';

/** Files beyond those that were given. */
export interface OutsideFiles {
  /** Whether they may be read; if not, they are only named. */
  allowed: boolean;
  /** How to allow it, for messages. */
  hint: string;
  /** @param path absolute, or from the folder of what was given; null when there is none */
  find(path: string): Promise<SourceFile | null>;
}

/**
 * Finds the file that a row names: where the row says, else where one ends like it, for folders are seldom packed as the paths
 * in the data say. Slashes of either kind count as the same, letters in either case and however their accents are written
 * (macOS takes them apart), unless two files differ in nothing else.
 */
export class PictureFinder {
  private readonly paths = new Unique();
  private readonly endings = new Unique();

  /** @param outside null = there is nothing else */
  constructor(
    files: readonly SourceFile[],
    private readonly outside: OutsideFiles | null = null,
  ) {
    for (const file of files) {
      const path = plainPath(file.path);
      this.paths.add(path, file);
      for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) this.endings.add(path.slice(at + 1), file);
    }
  }

  /**
   * @param path as the row has it
   * @param dataPath of the file in which the row stands
   * @throws NvlmError `bad-data` when it is not there, not one alone, or outside and not allowed
   */
  async find(path: string, dataPath: string): Promise<SourceFile> {
    const found = (await this.at(path, dataPath)) ?? (await this.at(unescaped(path), dataPath));
    if (found) return found;
    const name = `its picture “${path.length > 200 ? `${path.slice(0, 200)}…` : path}”`;
    if (this.outside && (await this.outside.find(placeOf(path, dataPath))))
      throw new NvlmError('bad-data', `${name} lies outside of the data's folder: ${this.outside.hint}`, this.outside.hint);
    throw new NvlmError('bad-data', `${name} did not come along`, 'Add it and import again.');
  }

  private async at(path: string, dataPath: string): Promise<SourceFile | null> {
    const place = placeOf(path, dataPath);
    const inside = place.startsWith('/') ? null : resolved(place);
    const found = inside === null ? null : this.paths.get(inside);
    return found ?? (this.outside?.allowed ? await this.outside.find(place) : null) ?? this.byEnding(plainPath(path));
  }

  private byEnding(wanted: string): SourceFile | null {
    const parts = wanted.split('/').filter((part) => part !== '' && part !== '.');
    // What climbs out of its folder is meant exactly.
    if (parts.includes('..')) return null;
    for (let i = 0; i < parts.length; i++) {
      const ending = parts.slice(i).join('/');
      const found = this.paths.get(ending) ?? this.endings.get(ending);
      if (found) return found;
    }
    return null;
  }
}

/** Files by their names, letter by letter and in any case. */
class Unique {
  /** Null where several files have the name. */
  private readonly exact = new Map<string, SourceFile | null>();
  private readonly folded = new Map<string, SourceFile | null>();

  add(name: string, file: SourceFile): void {
    for (const [files, key] of [
      [this.exact, name],
      [this.folded, name.toLowerCase()],
    ] as const)
      files.set(key, files.has(key) ? null : file);
  }

  get(name: string): SourceFile | null {
    return this.exact.get(name) ?? this.folded.get(name.toLowerCase()) ?? null;
  }
}

/** With `/` between folders, without a drive, and accented letters in one piece. */
function plainPath(path: string): string {
  return path
    .replaceAll('\\', '/')
    .replace(/^[a-z]:/i, '')
    .normalize('NFC');
}

/** Where a row means: from the root, as it stands, or from its data file's folder. */
function placeOf(path: string, dataPath: string): string {
  const plain = plainPath(path);
  return plain.startsWith('/') ? path.replaceAll('\\', '/') : `${folderOf(plainPath(dataPath))}${plain}`;
}

/** Of a path that is written as in an address. */
function unescaped(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** Without `.` and `..`; null when it leaves the topmost folder. */
function resolved(path: string): string | null {
  const out: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') {
      if (out.pop() === undefined) return null;
    } else if (part !== '' && part !== '.') out.push(part);
  }
  return out.join('/');
}
