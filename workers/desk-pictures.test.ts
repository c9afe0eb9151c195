import { describe, expect, it } from 'vitest';
import type { ComposeForm } from '../src/desk/compose/form.ts';
import { decodeImage } from '../src/tiling/decode.ts';
import { composedPicture, exampleCards, exampleFile } from './desk-pictures.ts';

const form: ComposeForm = {
  kind: 'note',
  note: 'TRAIN 7',
  items: [],
  total: false,
  bars: [],
  shapes: [],
  shapesGrid: { cols: 4, rows: 4 },
  seed: 1,
  plain: true,
};

describe('pictures of the drawn world', () => {
  it('are offered with questions whose true answers are known', async () => {
    const cards = exampleCards();
    expect(cards.length).toBeGreaterThan(5);
    for (const { suggestedQuestions, knownAnswers } of cards) {
      expect(suggestedQuestions.filter((question) => !Object.hasOwn(knownAnswers, question))).toEqual([]);
    }
    expect((await decodeImage(await exampleFile(cards[0]!.id))).width % 112).toBe(0);
    await expect(exampleFile('none of them')).rejects.toThrow('no example');
  });

  it('say of what was typed what stands there, and whether anything does', async () => {
    const typed = await composedPicture(form);
    expect(typed.blank).toBe(false);
    expect(typed.description).toContain('TRAIN');
    expect((await composedPicture({ ...form, note: ' ' })).blank).toBe(true);
  });
});
