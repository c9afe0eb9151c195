import { describe, expect, it } from 'vitest';
import { figuresOf, isRight, scoreAnswers } from './answer-scores.ts';

const ask = (question: string, expected: string, answer: string) => ({ question, expected, answer });
const PETS = '<image>\nWhich animal?';

const answers = [
  ask(PETS, 'cat', 'cat'),
  ask(PETS, 'cat', ' cat\n'),
  ask(PETS, 'cat', 'dog'),
  ask(PETS, 'dog', 'dog'),
  ask(PETS, 'dog', 'a dog'),
  ask(PETS, 'owl', ''),
  // The same question, its picture elsewhere.
  ask('Which animal?', 'owl', 'cat'),
  ask('<image>\nHow many?', '2', '2'),
  ask('<image>\nHow many?', '10', '2'),
];

describe('right answers by question and label', () => {
  const [pets, counts] = scoreAnswers(answers);

  it('takes the same words as one question, the most asked first', () => {
    expect(pets).toMatchObject({ question: 'Which animal?', asked: 7, right: 3 });
    expect(counts).toMatchObject({ question: 'How many?', asked: 2, right: 1 });
    expect(pets!.labels).toEqual([
      { label: 'cat', asked: 3, right: 2 },
      { label: 'dog', asked: 2, right: 1 },
      { label: 'owl', asked: 2, right: 0 },
    ]);
  });

  it('puts every answer into one cell, what is no label into the last column', () => {
    expect(figuresOf(pets!).confusion).toEqual({
      labels: ['cat', 'dog', 'owl'],
      counts: [
        [2, 1, 0, 0],
        [0, 1, 0, 1],
        [1, 0, 0, 1],
      ],
    });
    expect(pets!.confusion!.cells[0]![1]).toEqual([answers[2]]);
    expect(pets!.confusion!.cells[2]![3]).toEqual([answers[5]]);
  });

  it('has no table where no expected answer comes back, numbers in their order', () => {
    expect(counts!.confusion).toBeNull();
    expect(counts!.labels.map(({ label }) => label)).toEqual(['2', '10']);
    expect(figuresOf(counts!).labels).toBeNull();
  });

  it.each([
    ['one label', [ask('q', 'a', 'a'), ask('q', 'a', 'b')]],
    ['25 labels', Array.from({ length: 50 }, (_, i) => ask('q', String(i % 25), '0'))],
    ['sentences', Array.from({ length: 4 }, (_, i) => ask('q', String(i % 2).repeat(61), '0'))],
  ])('has no table for %s', (_, some) => {
    expect(scoreAnswers(some)[0]!.confusion).toBeNull();
  });

  it('has one for 24 labels, and nothing for nothing', () => {
    const some = Array.from({ length: 48 }, (_, i) => ask('q', String(i % 24), String(i % 24)));
    expect(scoreAnswers(some)[0]).toMatchObject({ asked: 48, right: 48 });
    expect(scoreAnswers(some)[0]!.confusion!.labels).toHaveLength(24);
    expect(scoreAnswers([])).toEqual([]);
  });

  it('counts whole answers', () => {
    expect(isRight(' a star\n', 'a star')).toBe(true);
    expect(isRight('a star.', 'a star')).toBe(false);
    expect(isRight('A star', 'a star')).toBe(false);
    expect(isRight(null, '')).toBe(false);
  });
});
