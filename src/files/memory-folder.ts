import { byPath, isBelow, pathParts } from './file-path.ts';
import type { Folder } from './folder.ts';
import { noRoom } from './quota.ts';
import { joined } from './joined.ts';

/** What lies here is heap. */
const DEFAULT_LIMIT_BYTES = 512 * 2 ** 20;

/** The last resort where a browser offers no storage (private windows, opaque origins): lasts as long as the tab. */
export class MemoryFolder implements Folder {
  readonly files = new Map<string, Uint8Array>();

  constructor(private readonly limitBytes = DEFAULT_LIMIT_BYTES) {}

  async read(path: string): Promise<Uint8Array | null> {
    pathParts(path);
    return this.files.get(path)?.slice() ?? null;
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    this.put(path, bytes.slice());
  }

  async append(path: string, text: string): Promise<void> {
    this.put(path, joined([this.files.get(path) ?? new Uint8Array(0), new TextEncoder().encode(text)]));
  }

  async writeParts(path: string, parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    const all: Uint8Array[] = [];
    for await (const part of parts) all.push(part.slice());
    this.put(path, joined(all));
  }

  async list(path?: string): Promise<{ path: string; bytes: number }[]> {
    return [...this.files]
      .filter(([name]) => isBelow(name, path))
      .map(([name, { length }]) => ({ path: name, bytes: length }))
      .sort(byPath);
  }

  async remove(path: string): Promise<void> {
    pathParts(path);
    for (const name of [...this.files.keys()]) if (isBelow(name, path)) this.files.delete(name);
  }

  private put(path: string, bytes: Uint8Array): void {
    pathParts(path);
    const others = [...this.files].reduce((sum, [name, { length }]) => sum + (name === path ? 0 : length), 0);
    if (others + bytes.length > this.limitBytes)
      throw noRoom(`${path} does not fit: without the browser's storage, files are kept in memory.`);
    this.files.set(path, bytes);
  }
}
