import { describe, expect, it } from 'vitest';
import { parseRecords } from '../datasets/llava.ts';
import { LESSONS, teachDataset, type Lesson } from './teach.ts';

const OPTIONS = { count: 12, heldOut: 9, replay: 3, seed: 4 };
const lessons = Object.keys(LESSONS) as Lesson[];

describe.each(lessons)('lesson %s', (lesson) => {
  const made = teachDataset(lesson, OPTIONS);

  it('draws the same at every call, and fewer pictures are the first of more', () => {
    const again = teachDataset(lesson, OPTIONS);
    expect([again.records, again.heldOut, again.replay]).toEqual([made.records, made.heldOut, made.replay]);
    for (const i of [0, 12, 21]) {
      const [one, other] = [made.pictures[i]!.draw().data, again.pictures[i]!.draw().data];
      expect(one.every((byte, at) => byte === other[at])).toBe(true);
    }
    const fewer = teachDataset(lesson, { ...OPTIONS, count: 5 });
    expect(made.records.slice(0, fewer.records.length)).toEqual(fewer.records);
  });

  it('names every picture once, for records that can be read', () => {
    const paths = made.pictures.map(({ path }) => path);
    expect(new Set(paths).size).toBe(12 + 9 + 3);
    const all = [...made.records, ...made.heldOut, ...made.replay];
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    expect(new Set(all.flatMap(({ image }) => image ?? [])).size).toBe(paths.length);
    expect(all.every(({ image }) => image === undefined || paths.includes(image))).toBe(true);
    expect(parseRecords(JSON.stringify(all)).problems).toEqual([]);
  });

  it('holds out pictures that are not learnt from', () => {
    const scenes = (prefix: string) =>
      made.pictures.filter(({ path }) => path.includes(prefix)).map(({ scene }) => JSON.stringify(scene.cells));
    expect(scenes('held-out').filter((scene) => scenes('learn').includes(scene))).toEqual([]);
  });
});

it('asks about a ring what its picture shows', () => {
  const { records, pictures } = teachDataset('ring', OPTIONS);
  for (const { scene, path } of pictures.slice(0, 12)) {
    const rings = scene.cells.filter((cell) => cell?.kind === 'shape' && cell.shape === 'ring');
    expect(rings).toHaveLength(1);
    const said = records.filter(({ image }) => image === path).map(({ conversations }) => conversations);
    const [ring] = rings as { colour: string }[];
    expect(said).toContainEqual([
      { from: 'human', value: `<image>\nWhat shape is ${ring!.colour}?` },
      { from: 'gpt', value: 'ring' },
    ]);
    expect(said).toContainEqual([
      { from: 'human', value: '<image>\nWhat colour is the ring?' },
      { from: 'gpt', value: ring!.colour },
    ]);
  }
});

it('refuses what it cannot make', () => {
  for (const bad of [{ count: 0 }, { heldOut: -1 }, { replay: 0.5 }, { count: 1e6 }]) {
    expect(() => teachDataset('due', { ...OPTIONS, ...bad })).toThrow('cannot be made');
  }
});
