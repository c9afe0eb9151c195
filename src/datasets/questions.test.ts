import { describe, expect, it } from 'vitest';
import { NvlmError } from '../errors.ts';
import { parseConversations } from './questions.ts';

const pair = (question: unknown, answer: unknown) => [
  { from: 'human', value: question },
  { from: 'gpt', value: answer },
];

describe('conversation data', () => {
  it('makes one question of every answer, with the record’s own answers before it', () => {
    const record = {
      id: 7,
      image: 'a/b.png',
      task: 'note',
      conversations: [...pair('<image>\nOne?', '1'), ...pair('Two?', '2')],
    };
    const { questions, problems } = parseConversations(JSON.stringify([record]));
    expect(problems).toEqual([]);
    expect(questions).toEqual([
      { id: '7', task: 'note', image: 'a/b.png', messages: [{ role: 'user', content: '<image>\nOne?' }], answer: '1' },
      {
        id: '7#2',
        task: 'note',
        image: 'a/b.png',
        messages: [
          { role: 'user', content: '<image>\nOne?' },
          { role: 'assistant', content: '1' },
          { role: 'user', content: 'Two?' },
        ],
        answer: '2',
      },
    ]);
  });

  it('asks about a picture only from the turn on in which it stands, and keeps the system message', () => {
    const conversations = [
      { from: 'system', value: 'Be short.' },
      ...pair('Hi', 'Hello'),
      ...pair('<image>\nOne?', '1'),
      ...pair('Two?', '2'),
    ];
    const { questions } = parseConversations(JSON.stringify([{ id: 'r', image: 'a.png', conversations }]));
    expect(questions.map(({ image, messages }) => [image, messages.length, messages[0]])).toEqual([
      [null, 2, { role: 'system', content: 'Be short.' }],
      ['a.png', 4, { role: 'system', content: 'Be short.' }],
      ['a.png', 6, { role: 'system', content: 'Be short.' }],
    ]);
  });

  it('reads JSONL, with and without a byte order mark, and the same task for records that name none', () => {
    const lines = [{ conversations: pair('a', 'b') }, { id: 'x', conversations: pair('c', 'd') }].map((row) => JSON.stringify(row));
    const { questions } = parseConversations(`\ufeff${lines.join('\r\n')}\r\n\r\n`);
    expect(questions.map(({ id, task, image }) => [id, task, image])).toEqual([
      ['line 1', 'all', null],
      ['x', 'all', null],
    ]);
  });

  it.each([
    ['not an object', 3, /object/],
    ['no conversations', { id: 'r' }, /conversations/],
    ['a question without answer', { id: 'r', conversations: pair('a', 'b').slice(0, 1) }, /last question has no answer/],
    ['turns in the wrong order', { id: 'r', conversations: pair('a', 'b').reverse() }, /begins with an answer/],
    ['a turn that is null', { id: 'r', conversations: [null, null] }, /turn 1/],
    ['an answer that is no text', { id: 'r', conversations: pair('a', 5) }, /turn 2/],
    ['a placeholder without image', { id: 'r', conversations: pair('<image> a', 'b') }, /names no "image"/],
    ['an image that is no path', { id: 'r', image: 3, conversations: pair('a', 'b') }, /path/],
    ['an image elsewhere', { id: 'r', image: 'https://host/x.png', conversations: pair('a', 'b') }, /address/],
    ['a task that is no text', { id: 'r', task: 1, conversations: pair('a', 'b') }, /task/],
  ])('sets aside %s and keeps the rest', (_, row, reason) => {
    const good = { id: 'good', conversations: pair('a', 'b') };
    const { questions, problems } = parseConversations(JSON.stringify([row, good]));
    expect(questions.map(({ id }) => id)).toEqual(['good']);
    expect(problems).toEqual([{ id: row === 3 ? 'record 1' : 'r', reason: expect.stringMatching(reason) }]);
  });

  it('refuses a broken array as a whole, and a broken line of JSONL alone', () => {
    expect(() => parseConversations('[{"id": ')).toThrow(NvlmError);
    expect(parseConversations('{"id": ').problems).toEqual([{ id: 'line 1', reason: 'it is not JSON' }]);
  });
});
