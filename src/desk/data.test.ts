import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { NvlmError } from '../errors.ts';
import { deskDataset, pickQuestions } from './data.ts';
import { makeScene } from './make-scene.ts';
import { Random } from './random.ts';

const digest = (count: number, seed: number) => {
  const { records, pictures } = deskDataset({ count, seed });
  const hash = createHash('sha256').update(JSON.stringify(records));
  for (const picture of pictures) hash.update(picture.path).update(picture.draw().data);
  return hash.digest('hex');
};

describe('deskDataset', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(digest(12, 7)).toBe('51c6cedfa510cb4dff6bc16761d458077b872b1999b202d312e3e9c7bfcd1898');
    expect(digest(12, 7)).toBe(digest(12, 7));
    expect(digest(12, 8)).not.toBe(digest(12, 7));
  });

  it('has picture k, its questions and its text whatever the count', () => {
    const few = deskDataset({ count: 4, seed: 3 });
    const many = deskDataset({ count: 9, seed: 3 });
    const ofPicture = (k: number, set: typeof few) => set.records.filter(({ image }) => image === set.pictures[k]?.path);
    expect(ofPicture(3, many)).toEqual(ofPicture(3, few));
    expect(Buffer.compare(many.pictures[3]!.draw().data, few.pictures[3]!.draw().data)).toBe(0);
    expect(many.records.find(({ id }) => id === 'text-005')).toEqual(few.records.find(({ id }) => id === 'text-005'));
  });

  it('writes LLaVA records: five a picture, then three text-only ones for two pictures', () => {
    const { records, pictures } = deskDataset({ count: 100, seed: 1 });
    expect(pictures).toHaveLength(100);
    const withImage = records.filter(({ image }) => image !== undefined);
    expect(withImage).toHaveLength(500);
    expect(records.slice(500).every(({ image, tiles, id }) => image === undefined && tiles === undefined && /^text-\d{3}$/.test(id))).toBe(
      true,
    );
    expect(records).toHaveLength(650);
    expect(new Set(records.map(({ id }) => id)).size).toBe(650);
    for (const { image, tiles, task, conversations } of withImage) {
      const picture = pictures.find(({ path }) => path === image);
      const [human, gpt] = conversations;
      expect(picture).toBeDefined();
      expect(tiles).toBe(picture!.scene.grid.cols * picture!.scene.grid.rows);
      expect(human.from).toBe('human');
      const question = human.value.replace(/^<image>\n/, '');
      expect(question).not.toBe(human.value);
      expect(picture!.scene.questions).toContainEqual({ task, question, answer: gpt.value });
    }
  });

  it('asks the tasks about as often as the evaluation set of the nano models', () => {
    const { records, pictures } = deskDataset({ count: 3000, seed: 5 });
    const share = (task: string) => {
      const kind = pictures.filter(({ scene }) => task.startsWith(scene.kind)).length;
      return records.filter((record) => record.task === task).length / kind;
    };
    // Of pictures of the kind, both sets that the models were measured on (50 to 70 pictures a kind).
    const expected: [string, number][] = [
      ['chart: bar colour', 0.88],
      ['chart: count', 0.84],
      ['chart: absent', 0.16],
      ['chart: what', 0.04],
      ['note: count', 1],
      ['note: line', 0.74],
      ['receipt: total', 0.47],
      ['receipt: price', 0.9],
      ['shapes: count colour', 0.7],
      ['shapes: size', 0.28],
      ['shapes: absent', 0.08],
    ];
    for (const [task, theirs] of expected) expect(Math.abs(share(task) - theirs), `${task} ${share(task)}`).toBeLessThan(0.15);
  });

  it('refuses what it cannot make', () => {
    for (const count of [0, -1, 1.5, NaN, 100_001]) {
      expect(() => deskDataset({ count, seed: 1 })).toThrow(NvlmError);
    }
    expect(() => deskDataset({ count: 1, seed: 0.5 })).toThrow(/seed/);
  });
});

describe('pickQuestions', () => {
  it('repeats no question and no task while others are left', () => {
    for (let seed = 0; seed < 300; seed++) {
      const rng = new Random(seed);
      const { questions } = makeScene(rng);
      const wordings = new Set(questions.map(({ question }) => question)).size;
      const picked = pickQuestions(questions, 50, rng);
      expect(picked).toHaveLength(wordings);
      expect(new Set(picked.map(({ question }) => question)).size).toBe(wordings);
    }
  });
});
