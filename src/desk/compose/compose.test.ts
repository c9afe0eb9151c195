import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cellAt } from '../scene.ts';
import type { Scene } from '../scene.ts';
import { COLOURS, GRIDS, SHAPE_KINDS } from '../vocabulary.ts';
import type { Colour, ShapeKind } from '../vocabulary.ts';
import { composeChart } from './chart.ts';
import type { Composition } from './composition.ts';
import { composeNote } from './note.ts';
import { composeReceipt } from './receipt.ts';
import { composeShapes } from './shapes.ts';

function written(scene: Scene): string[] {
  const rows = Array.from({ length: scene.height }, (_, row) => {
    const cells = Array.from({ length: scene.width }, (_, col) => cellAt(scene, row, col));
    return cells
      .map((cell) => (cell?.kind === 'character' ? cell.character : ' '))
      .join('')
      .trimEnd();
  });
  return rows.filter((row) => row !== '');
}

const answerTo = (composition: Composition, question: string) =>
  composition.scene.questions.find((asked) => asked.question === question)?.answer;

/** What holds for every composition, whatever was typed. */
function expectSound({ scene, picture, suggestedQuestions, problems, hints }: Composition): void {
  expect(GRIDS).toContainEqual(scene.grid);
  expect([picture.width, picture.height]).toEqual([scene.grid.cols * 112, scene.grid.rows * 112]);
  expect(picture.data.length).toBe(picture.width * picture.height * 3);
  expect(suggestedQuestions.length).toBeGreaterThan(0);
  expect(suggestedQuestions.length).toBeLessThanOrEqual(6);
  expect(new Set(suggestedQuestions.map(({ task }) => task)).size).toBe(suggestedQuestions.length);
  expect([...problems, ...hints].every((line) => /^\S.*[.]$/su.test(line) && line.length < 300)).toBe(true);
}

describe('composeNote', () => {
  it('writes the typed lines in capitals on the smallest picture', () => {
    const note = composeNote('tea\nA42');
    expect(written(note.scene)).toEqual(['TEA', 'A42']);
    expect(note.scene.grid).toEqual({ cols: 1, rows: 1 });
    expect(note.problems).toEqual([]);
    expect(note.hints).toEqual([]);
    expect(answerTo(note, 'Read line 2.')).toBe('A42');
    expect(composeNote('PLATFORM').scene.grid).toEqual({ cols: 2, rows: 1 });
    expect(composeNote('A\nB\nC\nD\nE').scene.grid).toEqual({ cols: 1, rows: 2 });
  });

  it('gives every word its line and says so', () => {
    const note = composeNote('BLUE  SKY\r\nX7');
    expect(written(note.scene)).toEqual(['BLUE', 'SKY', 'X7']);
    expect(note.hints).toEqual(['Line 1 has several words: each stands on a line of its own.']);
  });

  it('reports what it cannot draw', () => {
    const note = composeNote('CAFé\nABCDEFGHIJ\n日本');
    expect(written(note.scene)).toEqual(['CAF', 'ABCDEFG']);
    expect(note.problems).toEqual([
      'Line 1: “é” left out: there are only A–Z, 0–9 and the point.',
      'Line 2: cut to “ABCDEFG”: 7 characters fit.',
      'Line 3: “日”, “本” left out: there are only A–Z, 0–9 and the point.',
    ]);
    expect(composeNote(' \n ').problems).toEqual(['Type at least one letter or digit.']);
    expect(composeNote('A\nB\nC\nD\nE\nF\nG\nH').problems).toEqual(['Only the first 7 lines are drawn: more do not fit.']);
  });

  it('warns of O and I where the models do not expect them', () => {
    expect(composeNote('ROOM').hints).toEqual([]);
    expect(composeNote('OI8').hints).toEqual(['O and I look like 0 and 1 and may be misread in “OI8”.']);
  });
});

describe('composeReceipt', () => {
  it('lays out items, prices and the total', () => {
    const receipt = composeReceipt(
      [
        { name: 'tea', price: '2.4' },
        { name: 'Pie', price: '4,50' },
      ],
      true,
    );
    expect(written(receipt.scene)).toEqual(['TEA 2.40', 'PIE 4.50', 'SUM 6.90']);
    expect(receipt.scene.grid).toEqual({ cols: 2, rows: 1 });
    expect(receipt.problems).toEqual([]);
    expect(answerTo(receipt, 'How much is the PIE?')).toBe('4.50');
    expect(answerTo(receipt, 'What is the total?')).toBe('6.90');
    expect(composeReceipt([{ name: 'COFFEE', price: '3' }], false).scene.grid).toEqual({ cols: 3, rows: 1 });
  });

  it('leaves out and reports items that it cannot draw', () => {
    const receipt = composeReceipt(
      [
        { name: '', price: '1' },
        { name: 'SUM', price: '1' },
        { name: 'TEA', price: '12.50' },
        { name: 'JAM', price: '1' },
        { name: 'JAM', price: '2' },
        { name: 'HAM!', price: '2' },
        { name: 'PIE', price: '2' },
      ],
      false,
    );
    expect(written(receipt.scene)).toEqual(['JAM 1.00', 'HAM 2.00']);
    expect(receipt.problems).toEqual([
      'Item 1: left out: it has no name.',
      'Item 2: left out: SUM is the name of the total.',
      'Item 3: left out: “12.50” is not a price from 0.00 to 9.99.',
      'Item 5: left out: there is a JAM already.',
      'Item 6: “!” left out of the name: there are only A–Z and 0–9.',
      'Only the first 6 items are drawn: more do not fit.',
    ]);
  });

  it('asks what costs a price only if one item does', () => {
    const receipt = composeReceipt(
      [
        { name: 'TEA', price: '2' },
        { name: 'JAM', price: '2' },
      ],
      false,
    );
    expect(answerTo(receipt, 'What costs 2.00?')).toBeUndefined();
  });
});

describe('composeChart', () => {
  it('draws bars from the ground up over their labels', () => {
    const chart = composeChart([
      { label: 'a', height: 2, colour: 'red' },
      { label: 'B', height: 3, colour: 'blue' },
    ]);
    expect(chart.problems).toEqual([]);
    expect(chart.scene.grid).toEqual({ cols: 1, rows: 1 });
    expect(answerTo(chart, 'Describe the image.')).toBe('red bar A 2, blue bar B 3');
    expect(composeChart([{ label: 'A', height: 7, colour: 'red' }]).scene.grid).toEqual({ cols: 1, rows: 2 });
  });

  it('leaves out and reports bars that it cannot draw', () => {
    const chart = composeChart([
      { label: 'O', height: 2, colour: 'red' },
      { label: 'A', height: 0, colour: 'red' },
      { label: 'A', height: NaN, colour: 'red' },
      { label: 'A', height: 2.4, colour: 'red' },
      { label: 'A', height: 3, colour: 'red' },
      { label: 'B', height: 3, colour: 'pink' as Colour },
      { label: 'C', height: 3, colour: 'red' },
    ]);
    expect(answerTo(chart, 'Describe the image.')).toBe('red bar A 2');
    expect(chart.problems).toHaveLength(7);
    expect(chart.problems[3]).toBe('Bar 4: drawn 2 high: heights are whole numbers from 1 to 7.');
    expect(composeChart([]).problems).toEqual(['Give at least one bar.']);
  });
});

describe('composeShapes', () => {
  const star = { shape: 'star', colour: 'red', big: true } as const;

  it('puts shapes in their cells on the smallest or the given picture', () => {
    const small = composeShapes([{ ...star, row: 3, col: 3 }]);
    expect(small.scene.grid).toEqual({ cols: 1, rows: 1 });
    expect(answerTo(small, 'Where is the star?')).toBe('bottom right');
    const large = composeShapes([{ ...star, row: 3, col: 3 }], { grid: { cols: 3, rows: 2 } });
    expect(large.scene.grid).toEqual({ cols: 3, rows: 2 });
    expect(answerTo(large, 'Where is the star?')).toBe('top left');
    expect(answerTo(composeShapes([]), 'Describe the image.')).toBe('nothing');
  });

  it('leaves out and reports shapes that it cannot draw', () => {
    const { problems, scene } = composeShapes(
      [
        { ...star, row: 0, col: 0 },
        { ...star, row: 0, col: 0 },
        { ...star, row: 0, col: 4 },
        { ...star, row: 0.5, col: 1 },
        { ...star, row: 1, col: 1, shape: 'heart' as ShapeKind },
        { ...star, row: 1, col: 1, colour: 'pink' as Colour },
      ],
      { grid: { cols: 1, rows: 1 } },
    );
    expect(scene.cells.filter((cell) => cell !== null)).toHaveLength(1);
    expect(problems).toHaveLength(5);
    expect(composeShapes([{ ...star, row: 9, col: 9 }]).problems).toEqual(['Shape 1: left out: its cell is outside the picture.']);
    expect(composeShapes([], { grid: { cols: 9, rows: 9 } }).problems).toHaveLength(1);
  });
});

describe('style', () => {
  it('follows the seed, and plain is always the same', () => {
    const looks = (seed: number, plain: boolean) => composeNote('TEA', { seed, plain }).picture.data.join();
    expect(looks(1, false)).toBe(looks(1, false));
    expect(looks(1, false)).not.toBe(looks(2, false));
    expect(looks(1, true)).toBe(looks(2, true));
    expect(composeNote('TEA', { seed: 0.5 }).problems).toEqual(['The seed is not a whole number: 1 is used.']);
  });
});

describe('whatever is typed', () => {
  const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), fc.string({ unit: 'grapheme', maxLength: 30 }));
  const number = fc.oneof(fc.integer({ min: -2, max: 14 }), fc.double());
  const colour = fc.oneof(fc.constantFrom(...COLOURS), text as fc.Arbitrary<Colour>);
  const style = fc.record({ seed: fc.oneof(fc.integer(), fc.double()), plain: fc.boolean() }, { requiredKeys: [] });
  const runs = { numRuns: 60 };

  it('a note comes out', () => {
    fc.assert(
      fc.property(text, style, (typed, look) => expectSound(composeNote(typed, look))),
      runs,
    );
  });

  it('a receipt comes out', () => {
    const item = fc.record({ name: text, price: fc.oneof(text, fc.constantFrom('1', '2.5', '9,99')) });
    fc.assert(
      fc.property(fc.array(item), fc.boolean(), style, (items, total, look) => expectSound(composeReceipt(items, total, look))),
      runs,
    );
  });

  it('a chart comes out', () => {
    const label = fc.oneof(text, fc.constantFrom(...'ABCO'));
    const bar = fc.record({ label, height: number, colour });
    fc.assert(
      fc.property(fc.array(bar), style, (bars, look) => expectSound(composeChart(bars, look))),
      runs,
    );
  });

  it('a picture of shapes comes out', () => {
    const kind = fc.oneof(fc.constantFrom(...SHAPE_KINDS), text as fc.Arbitrary<ShapeKind>);
    const shape = fc.record({ row: number, col: number, shape: kind, colour, big: fc.boolean() });
    const grid = fc.option(fc.oneof(fc.constantFrom(...GRIDS), fc.record({ cols: number, rows: number })), {
      nil: undefined,
    });
    fc.assert(
      fc.property(fc.array(shape), style, grid, (shapes, look, size) =>
        expectSound(composeShapes(shapes, { ...look, ...(size && { grid: size }) })),
      ),
      runs,
    );
  });
});
