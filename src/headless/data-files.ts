import { open, readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import type { OutsideFiles } from '../datasets/import/picture-finder.ts';
import type { SourceFile } from '../datasets/import/source-file.ts';
import { badFile, COMMAND_LINE_LIMITS, tooLarge } from '../datasets/limits.ts';
import { NvlmError } from '../errors.ts';

/** What lies where a person points to. */
export interface LocalFiles {
  /** The folder that they lie in. */
  root: string;
  /** Their paths are relative to it. */
  files: SourceFile[];
  /** Links that lead out of it, as paths relative to it; not among the files. */
  links: string[];
  /** A folder was named, not a file. */
  isFolder: boolean;
}

/** Folders with files beyond number that are never data. */
const NEVER = new Set(['node_modules', '__MACOSX']);
/** Beside a data file, pictures are looked for among so many files. */
const MOST_BESIDE = 200_000;

/**
 * The files of a folder and all folders in it, or a data file with what lies beside it; hidden ones aside.
 *
 * @param outside whether links may lead out of the folder
 * @throws NvlmError `not-found`, `bad-data` for too many files
 */
export async function localFiles(path: string, outside: boolean): Promise<LocalFiles> {
  const found = await stat(path).catch(() => null);
  if (!found)
    throw new NvlmError(
      'not-found',
      `There is no file or folder "${path}".`,
      'Name a data file, or a folder with data and pictures in it.',
    );
  const root = found.isDirectory() ? path : dirname(path);
  const walk = new Walk(await realpath(root), outside, found.isDirectory() ? COMMAND_LINE_LIMITS.files : MOST_BESIDE);
  const isFolder = found.isDirectory();
  const name = basename(path);
  if (isFolder || !/\.zip$/i.test(name)) {
    const isComplete = await walk.folder(root, '');
    if (!isComplete && isFolder)
      throw tooLarge(`“${path}” holds more than ${COMMAND_LINE_LIMITS.files} files`, `${COMMAND_LINE_LIMITS.files} files`);
  }
  if (isFolder) return { root, files: walk.files, links: walk.links, isFolder };
  // The file that was named is read wherever a link leads; of what lies beside it, only what may be a picture.
  const beside = walk.files.filter((file) => file.path !== name && isPictureName(file.path));
  return { root, files: [diskFile(path, name, found.size), ...beside], links: walk.links.filter(isPictureName), isFolder };
}

/** Files that rows name outside of the data's folder: read where that is allowed, else only found to be there. */
export function outsideFiles(root: string, allowed: boolean): OutsideFiles {
  return {
    allowed,
    hint: 'add --allow-outside to read it',
    async find(path) {
      const full = resolve(root, path);
      const found = await stat(full).catch(() => null);
      return found?.isFile() ? diskFile(full, full, found.size) : null;
    },
  };
}

function isPictureName(path: string): boolean {
  return /\.(png|jpe?g|jpe|jfif|webp)$/i.test(path);
}

class Walk {
  readonly files: SourceFile[] = [];
  readonly links: string[] = [];
  /** Folders by their real places, so that links cannot lead in circles. */
  private readonly seen = new Set<string>();

  constructor(
    private readonly realRoot: string,
    private readonly outside: boolean,
    private readonly most: number,
  ) {}

  /** @returns false when there was more than may be */
  async folder(place: string, path: string): Promise<boolean> {
    const real = await realpath(place);
    if (this.seen.has(real)) return true;
    this.seen.add(real);
    const entries = await readdir(place, { withFileTypes: true });
    entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    for (const entry of entries) {
      if (entry.name.startsWith('.') || NEVER.has(entry.name)) continue;
      if (this.files.length >= this.most) return false;
      const [full, own] = [join(place, entry.name), path === '' ? entry.name : `${path}/${entry.name}`];
      if (entry.isSymbolicLink() && !(await this.mayFollow(full))) {
        this.links.push(own);
        continue;
      }
      const found = entry.isDirectory() ? null : await stat(full).catch(() => null);
      if (entry.isDirectory() || found?.isDirectory()) {
        if (!(await this.folder(full, own))) return false;
      } else if (found?.isFile()) this.files.push(diskFile(full, own, found.size));
    }
    return true;
  }

  private async mayFollow(link: string): Promise<boolean> {
    const real = await realpath(link).catch(() => null);
    return real !== null && (this.outside || !relative(this.realRoot, real).split(sep).includes('..'));
  }
}

/** @param path for names and for matching, with `/` */
function diskFile(place: string, path: string, size: number): SourceFile {
  return {
    path,
    size,
    async slice(start, end) {
      const file = await open(place).catch((cause: unknown) => {
        throw badFile(path, (cause as Error).message, cause);
      });
      try {
        const bytes = new Uint8Array(Math.max(0, Math.min(end, size) - start));
        let at = 0;
        while (at < bytes.length) {
          const { bytesRead } = await file.read(bytes, at, bytes.length - at, start + at);
          if (bytesRead === 0) throw badFile(path, 'it was changed while it was read');
          at += bytesRead;
        }
        return bytes;
      } finally {
        await file.close();
      }
    },
  };
}
