import { expect, it } from 'vitest';
import { patchParams } from '../router.ts';
import { accuracy, agreement, agrees, csvOf, isRight, type BatchRow } from './batch.ts';
import { paramsFromSettings, settingsFromParams, type CompareSettings } from './contenders.ts';

const ROWS: BatchRow[] = [
  { picture: 'a.png', question: 'Read, "all".', expected: 'AB\nC', answers: ['AB\nC', ' AB\nC'] },
  { picture: 'b.png', question: 'Count.', expected: '2', answers: ['3', '2'] },
  { picture: 'c.png', question: '=1+1', expected: null, answers: ['x', null] },
];

it('counts who is right and who agrees, of what is known', () => {
  expect(ROWS.map((row) => [isRight(row, 0), isRight(row, 1), agrees(row)])).toEqual([
    [true, true, true],
    [false, true, false],
    [null, null, null],
  ]);
  expect([accuracy(ROWS, 0), accuracy(ROWS, 1)]).toEqual([
    { count: 1, of: 2 },
    { count: 2, of: 2 },
  ]);
  expect(agreement(ROWS, 2)).toEqual([
    [
      { count: 3, of: 3 },
      { count: 1, of: 2 },
    ],
    [
      { count: 1, of: 2 },
      { count: 2, of: 2 },
    ],
  ]);
});

it('writes a table that spreadsheets read as it is meant', () => {
  expect(csvOf(ROWS, ['d', 'x'])).toBe(
    'picture,question,expected,d,d: right,x,x: right,agree\r\n' +
      'a.png,"Read, ""all"".","AB\nC","AB\nC",yes," AB\nC",yes,yes\r\n' +
      'b.png,Count.,2,3,no,2,yes,no\r\n' +
      "c.png,'=1+1,,x,,,,\r\n",
  );
});

it('keeps contenders and question in the address', () => {
  const settings: CompareSettings = {
    question: 'Read, all.',
    contenders: [
      { model: 'nano-d', adapters: [] },
      {
        model: 'nano-d',
        adapters: [
          { id: 'ring', strength: 0.8 },
          { id: 'due', strength: 1 },
        ],
      },
      { model: 'hub:org/name@main', adapters: [] },
    ],
  };
  const params = patchParams({}, paramsFromSettings(settings));
  expect(params.models).toBe('nano-d,nano-d~ring:0.8~due,hub:org/name@main');
  expect(settingsFromParams(params)).toEqual(settings);
  expect(settingsFromParams({}).contenders.map(({ model }) => model)).toEqual(['nano-d', 'nano-x', 'nano-h']);
});
