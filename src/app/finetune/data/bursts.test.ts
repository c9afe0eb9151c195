import { describe, expect, it } from 'vitest';
import { canHoldOut, filesOf, frameCount, namesProblem, withoutLastBurst, type BurstLabel } from './bursts.ts';

let frames = 0;
const label = (id: number, name: string, ...bursts: number[]): BurstLabel => ({
  id,
  name,
  frames: bursts.map((burst) => ({ id: frames++, burst, blob: new Blob([String(burst)]), url: `blob:${frames}` })),
});
const rowsOf = async (files: { path: string; blob: Blob }[]) =>
  JSON.parse(await files[0]!.blob.text()) as { id: string; image: string; held_out?: true; conversations: { value: string }[] }[];
const SENTENCES = { question: ' Which? ', answer: 'It is {label}.' };

describe('bursts of the camera', () => {
  it('become records about their pictures, the last burst of each label held out', async () => {
    const labels = [label(7, ' $& cup', 1, 1, 3), label(9, 'no/cup', 2, 4)];
    const files = filesOf(labels, SENTENCES, true);
    expect(files.map(({ path }) => path)).toEqual([
      'camera/data.json',
      ...['1-001', '1-002', '1-003', '2-001', '2-002'].map((name) => `camera/pictures/${name}.jpg`),
    ]);
    const rows = await rowsOf(files);
    expect(rows.map(({ id, image }) => [id, image])).toContainEqual(['2-001', 'pictures/2-001.jpg']);
    expect(rows.map(({ held_out: heldOut }) => heldOut ?? false)).toEqual([false, false, true, false, true]);
    expect(rows[0]!.conversations.map(({ value }) => value)).toEqual(['<image>\nWhich?', 'It is $& cup.']);
    expect(rows[4]!.conversations[1]!.value).toBe('It is no/cup.');
    expect((await rowsOf(filesOf(labels, SENTENCES, false))).some(({ held_out: heldOut }) => heldOut)).toBe(false);
  });

  it('are not held out where a label would have nothing left to learn from', async () => {
    const labels = [label(1, 'a', 1, 2), label(2, 'b', 3, 3), label(3, 'empty')];
    expect(canHoldOut(labels)).toBe(false);
    expect((await rowsOf(filesOf(labels, SENTENCES, true))).every(({ held_out: heldOut }) => heldOut === undefined)).toBe(true);
    expect(canHoldOut([labels[0]!, labels[2]!])).toBe(true);
    expect(canHoldOut([labels[2]!])).toBe(false);
  });

  it('lose the last one, whichever label it was for', () => {
    const { labels, removed } = withoutLastBurst([label(1, 'a', 1, 3, 3), label(2, 'b', 2)]);
    expect(labels.map((one) => one.frames.map(({ burst }) => burst))).toEqual([[1], [2]]);
    expect(removed.map(({ burst }) => burst)).toEqual([3, 3]);
    expect(frameCount(labels)).toBe(2);
  });

  it('need names, each its own', () => {
    expect(namesProblem([label(1, 'a'), label(2, ' ')])).toContain('needs a name');
    expect(namesProblem([label(1, 'a'), label(2, ' a')])).toContain('two labels “a”');
    expect(namesProblem([label(1, 'a'), label(2, 'A')])).toBeNull();
  });
});
