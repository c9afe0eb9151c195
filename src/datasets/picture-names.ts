import type { ImageFormat } from '../tiling/sniff.ts';

const EXTENSIONS: Record<ImageFormat, string> = { PNG: 'png', JPEG: 'jpg', WebP: 'webp' };
const FOLDER = 'pictures';

/** Gives every picture of a dataset a path of its own, safe on any disk and after the name that it came with. */
export class PictureNames {
  private readonly taken: Set<string>;

  constructor(taken: Iterable<string>) {
    this.taken = new Set([...taken].map((path) => path.toLowerCase()));
  }

  /** @param given path or file name as it came; may be anything */
  next(given: string, format: ImageFormat): string {
    const base = given.slice(Math.max(given.lastIndexOf('/'), given.lastIndexOf('\\')) + 1);
    const plain = base
      .replace(/\.[a-z0-9]{1,5}$/i, '')
      .normalize('NFKD')
      .replace(/[^A-Za-z0-9_-]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 60);
    for (let count = 1; ; count++) {
      const path = `${FOLDER}/${plain || 'picture'}${count === 1 ? '' : `-${count}`}.${EXTENSIONS[format]}`;
      if (this.taken.has(path.toLowerCase())) continue;
      this.taken.add(path.toLowerCase());
      return path;
    }
  }
}
