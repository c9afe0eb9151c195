import { describe, expect, it } from 'vitest';
import type { DatasetRecord } from '../../../datasets/types.ts';
import { messagesOf, pairsOf } from './record-text.ts';

const record = (image: string | null, ...contents: string[]): DatasetRecord => ({
  id: 'r',
  task: 'all',
  image,
  heldOut: false,
  messages: contents.map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content })),
});

describe('the text of a record', () => {
  it.each([
    record('a.png', '<image>\nOne?', '1', 'Two?', '2'),
    record('a.png', 'Look at <image> here', '1'),
    record(null, 'One?', '1'),
    record('a.png'),
  ])('comes back from editing as it was', (one) => {
    expect(messagesOf(pairsOf(one), one)).toEqual(one.messages);
  });

  it('keeps its system message, and its picture in a later question', () => {
    const one: DatasetRecord = {
      ...record('a.png'),
      messages: [{ role: 'system', content: 'Be short.' }, ...record(null, 'One?', '1', '<image>\nTwo?', '2').messages],
    };
    expect(pairsOf(one).map(({ question }) => question)).toEqual(['One?', '<image>\nTwo?']);
    expect(messagesOf(pairsOf(one), one)).toEqual(one.messages);
  });

  it('hides the placeholder, and puts it before a question about a picture', () => {
    const one = record('a.png', '<image>\nOne?', '1');
    expect(pairsOf(one)).toEqual([{ question: 'One?', answer: '1' }]);
    expect(messagesOf([{ question: 'New?', answer: '' }], one)[0]!.content).toBe('<image>\nNew?');
  });
});
