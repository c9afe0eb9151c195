import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { goldenFolder } from '../../../tests/goldens/golden-files.ts';
import { parseRecords } from '../../datasets/llava.ts';
import { parseRun } from '../../training/run-config.ts';
import { openModelFolder } from '../../weights/model-folder.ts';
import { nodeFiles } from '../../weights/node-files.ts';
import { fingerprintOf, readPools } from './run-pools.ts';
import { openTextSide } from '../chat/text-side.ts';

const record = (id: string, more: object = {}) => ({
  id,
  ...more,
  conversations: [
    { from: 'human', value: `Question ${id}` },
    { from: 'gpt', value: `answer ${id}` },
  ],
});
const HELD = { held_out: true };

async function pools(run: object, data: object[], more: { textData?: object[]; blend?: object[] } = {}) {
  const text = openTextSide(await openModelFolder(nodeFiles(goldenFolder('nvlm-d'))));
  return readPools({
    run: parseRun({ model: 'm', data: 'd', steps: 1, sample_every: 1, samples: 9, ...run }, 'run'),
    text,
    data: parseRecords(JSON.stringify(data)),
    textData: more.textData ? parseRecords(JSON.stringify(more.textData)) : null,
    blend: more.blend ? { ...parseRecords(JSON.stringify(more.blend)), folder: 'other/' } : null,
    heldOut: null,
    readImage,
  });
}

/** `0.png+7` is the picture with a byte more behind its end. */
async function readImage(path: string): Promise<Uint8Array> {
  const [name, tail] = path.split('+') as [string, string | undefined];
  return Uint8Array.from([...(await readFile(join(goldenFolder('data'), name))), ...(tail ? [Number(tail)] : [])]);
}

const ids = (some: readonly { id: string }[]) => some.map(({ id }) => id);

describe('what a run learns from and is measured on', () => {
  it('measures the held-out rows of a text-only blend, of the same data and of data of its own', async () => {
    const data = [record('a', { image: '0.png' }), record('b'), record('c', { ...HELD, image: '1.png' }), record('d', HELD)];
    const same = await pools({ text: { ratio: 0.5 } }, data);
    expect([ids(same.examples), same.mainCount]).toEqual([['a', 'b'], 1]);
    expect([ids(same.measured), ids(same.asked)]).toEqual([
      ['c', 'd'],
      ['c', 'd'],
    ]);
    const texts = [record('e'), record('f', HELD)];
    const apart = await pools({ text: { ratio: 0.5, data: 't' } }, data, { textData: texts });
    expect([ids(apart.examples), apart.mainCount]).toEqual([['a', 'b', 'e'], 2]);
    expect(ids(apart.measured)).toEqual(['c', 'd', 'f']);
    // Old abilities would hide in the mean what is learnt.
    const old = await pools({ blend: { ratio: 0.5, data: 'o' } }, data, { blend: texts });
    expect([ids(old.examples), ids(old.measured)]).toEqual([
      ['a', 'b', 'e'],
      ['c', 'd'],
    ]);
  });

  it('asks about held-out records at equal distances, not about those of the first label alone', async () => {
    const held = Array.from({ length: 10 }, (_, i) => record(`h${i}`, HELD));
    const asked = async (samples: number) => ids((await pools({ samples }, [record('a'), ...held])).asked);
    expect(await asked(4)).toEqual(['h0', 'h2', 'h5', 'h7']);
    expect(await asked(1)).toEqual(['h0']);
    expect(await asked(0)).toEqual([]);
    for (const samples of [10, 11]) expect(await asked(samples)).toEqual(held.map(({ id }) => id));
  });

  it('has a fingerprint of every word, of the order and of the pools, and of nothing else', async () => {
    const of = async (data: object[], more: Parameters<typeof pools>[2] = {}) =>
      fingerprintOf(await pools(more.blend ? { blend: { ratio: 0.5, data: 'o' } } : {}, data, more));
    const [a, b] = [record('a'), record('b')];
    const whole = await of([a, b]);
    expect(await of([{ ...a, id: 'x', task: 'other' }, b, record('c', HELD)])).toBe(whole);
    expect(await of([b, a])).not.toBe(whole);
    expect(await of([a], { blend: [b] })).not.toBe(whole);
    const seen = await of([{ ...a, image: '0.png+1' }, b]);
    expect(seen).not.toBe(whole);
    expect(await of([{ ...a, image: '0.png+2' }, b])).not.toBe(seen);
  });
});
