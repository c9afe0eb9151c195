import { describe, expect, it } from 'vitest';
import { deskExamples } from './examples.ts';

describe('deskExamples', () => {
  const examples = deskExamples();

  it('shows every kind, on one to six tiles', () => {
    expect(examples.length).toBeGreaterThanOrEqual(8);
    expect(new Set(examples.map(({ kind }) => kind))).toEqual(new Set(['note', 'receipt', 'shapes', 'chart']));
    expect(new Set(examples.map(({ tiles }) => tiles))).toEqual(new Set([1, 2, 3, 4, 6]));
    expect(new Set(examples.map(({ id }) => id)).size).toBe(examples.length);
  });

  it('draws each the same every time, with questions and a description', () => {
    for (const { draw, tiles, questions, suggestedQuestions, description } of examples) {
      const { width, height, data } = draw();
      expect((width * height) / 112 ** 2).toBe(tiles);
      expect(Buffer.compare(draw().data, data)).toBe(0);
      expect(suggestedQuestions.length).toBeGreaterThanOrEqual(4);
      expect(questions).toEqual(expect.arrayContaining(suggestedQuestions));
      expect(questions.length).toBeGreaterThan(suggestedQuestions.length);
      expect(description).toMatch(/^[A-Za-z0-9]/);
      expect(description).not.toContain('\n');
    }
  });
});
