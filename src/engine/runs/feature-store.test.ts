import { describe, expect, it } from 'vitest';
import { NvlmError } from '../../errors.ts';
import { MemoryFolder } from '../../files/memory-folder.ts';
import { featureKey, FeatureStore } from './feature-store.ts';

const features = (seed: number) => ({
  shape: [1, 2, 3] as [number, number, number],
  data: Float32Array.from({ length: 6 }, (_, i) => i * 0.1 + seed),
});
const FILE_BYTES = 12 + 32 + 24;

describe('features that outlive a run', () => {
  it('come back bit by bit', async () => {
    const folder = new MemoryFolder();
    const { shape, data } = features(7);
    await new FeatureStore(folder).write('a', { shape, data });
    expect(await new FeatureStore(folder).read('a')).toEqual({ shape, data });
    expect(await new FeatureStore(folder).read('b')).toBeNull();
  });

  it('are taken for missing when a bit of them, or of their size, is another', async () => {
    const folder = new MemoryFolder();
    await new FeatureStore(folder).write('a', features(1));
    const good = folder.files.get('a')!;
    for (const at of [0, 4, 20, FILE_BYTES - 1]) {
      const bad = good.slice();
      bad[at]! ^= 1;
      await folder.write('a', bad);
      expect(await new FeatureStore(folder).read('a'), `byte ${at}`).toBeNull();
    }
    for (const length of [0, 11, 44, FILE_BYTES - 1]) {
      await folder.write('a', good.slice(0, length));
      expect(await new FeatureStore(folder).read('a'), `${length} bytes`).toBeNull();
    }
  });

  it('keep within their bound, over what earlier runs left too', async () => {
    const folder = new MemoryFolder();
    for (let i = 0; i < 5; i++) await new FeatureStore(folder, 3 * FILE_BYTES).write(`k${i}`, features(i));
    const left = await folder.list();
    expect(left.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(3 * FILE_BYTES);
    expect(await new FeatureStore(folder).read('k4')).toEqual(features(4));
    await new FeatureStore(folder, 10).write('large', features(1));
    expect(await folder.read('large')).toBeNull();
  });

  it('make room for the run where the disk is full, and do not stop it', async () => {
    const folder = new MemoryFolder();
    await new FeatureStore(folder).write('a', features(1));
    const store = new FeatureStore(folder);
    folder.write = () => Promise.reject(new NvlmError('storage-full', 'The disk is full.', 'Make room.'));
    await store.write('b', features(2));
    expect(await folder.list()).toEqual([]);
  });

  it('are of this encoder, these pixels and this many tiles', () => {
    const pixels = Float32Array.of(1, 2, 3, 4);
    const keys = [
      featureKey('e', pixels, 1),
      featureKey('f', pixels, 1),
      featureKey('e', pixels, 2),
      featureKey('e', Float32Array.of(1, 2, 3, 4.0000005), 1),
    ];
    expect(new Set(keys).size).toBe(4);
    expect(featureKey('e', pixels.slice(), 1)).toBe(keys[0]);
  });
});
