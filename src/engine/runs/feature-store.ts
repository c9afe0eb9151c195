import { createHasher } from '../../weights/hasher.ts';
import type { Folder } from '../../files/folder.ts';

/** Where the features of all runs lie, beside `runs/` and `datasets/`. */
export const FEATURES = 'features';

/** On disk, over all runs; what goes beyond takes the place of others. */
const MOST_STORED_BYTES = 256 * 2 ** 20;

/** Tiles, tokens a tile, width; then the sha256 of what follows. */
const SIZES = 3;
const HEADER_BYTES = 4 * SIZES + 32;

/** What the frozen part of a model made of a picture. */
export interface StoredFeatures {
  /** [tiles, tokens, width] */
  shape: [number, number, number];
  data: Float32Array;
}

/**
 * Features of pictures that outlive a run, so that the next one on the same pictures need not encode them. A file is named by all
 * that its numbers follow from (see {@link featureKey}): it is never wrong, only not needed any more. Runs may share the folder.
 */
export class FeatureStore {
  private stored: Promise<number> | null = null;
  private isFull = false;

  constructor(
    private readonly folder: Folder,
    private readonly mostBytes = MOST_STORED_BYTES,
  ) {}

  /** null when it is not there, or damaged. */
  async read(key: string): Promise<StoredFeatures | null> {
    const bytes = await this.folder.read(key).catch(() => null);
    if (!bytes || bytes.length < HEADER_BYTES) return null;
    const sizes = new DataView(bytes.buffer, bytes.byteOffset, 4 * SIZES);
    const shape = [sizes.getUint32(0, true), sizes.getUint32(4, true), sizes.getUint32(8, true)] as StoredFeatures['shape'];
    const data = bytes.slice(HEADER_BYTES);
    if (data.length !== 4 * shape[0] * shape[1] * shape[2]) return null;
    if (digestOf(data) !== hexOf(bytes.subarray(4 * SIZES, HEADER_BYTES))) return null;
    return { shape, data: new Float32Array(data.buffer) };
  }

  /** Keeps them if the disk lets it: a run goes on without. */
  async write(key: string, { shape, data }: StoredFeatures): Promise<void> {
    const bytes = HEADER_BYTES + data.byteLength;
    if (this.isFull || bytes > this.mostBytes) return;
    const content = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const file = new Uint8Array(bytes);
    shape.forEach((size, i) => new DataView(file.buffer).setUint32(4 * i, size, true));
    file.set(bytesOfHex(digestOf(content)), 4 * SIZES);
    file.set(content, HEADER_BYTES);
    try {
      await this.makeRoom(bytes);
      await this.folder.write(key, file);
    } catch {
      // Full, or gone: what lies there is worth less than what the run itself has to write.
      this.isFull = true;
      await this.clear().catch(() => undefined);
    }
  }

  private async clear(): Promise<void> {
    for (const { path } of await this.folder.list()) await this.folder.remove(path);
  }

  /** Names are hashes, so that the first of them are any. */
  private async makeRoom(bytes: number): Promise<void> {
    this.stored ??= this.folder.list().then((files) => files.reduce((sum, file) => sum + file.bytes, 0));
    let stored = (await this.stored) + bytes;
    if (stored > this.mostBytes) {
      for (const file of await this.folder.list()) {
        if (stored <= this.mostBytes) break;
        await this.folder.remove(file.path);
        stored -= file.bytes;
      }
    }
    this.stored = Promise.resolve(stored);
  }
}

/**
 * The name of a picture's features.
 *
 * @param encoder what the frozen part makes of a picture that is always the same: it differs wherever weights, kernels or the device's
 *   rounding do
 * @param pixels [tiles, 3, S, S], as the encoder gets them
 * @returns 64 hex digits
 */
export function featureKey(encoder: string, pixels: Float32Array, tiles: number): string {
  const hasher = createHasher();
  hasher.update(new TextEncoder().encode(`${encoder} ${tiles} `));
  hasher.update(new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength));
  return hasher.digest();
}

export function digestOf(bytes: Uint8Array): string {
  const hasher = createHasher();
  hasher.update(bytes);
  return hasher.digest();
}

function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function bytesOfHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g)!, (pair) => parseInt(pair, 16));
}
