import type { ColumnMapping } from '../types.ts';

/** Names under which published datasets have a column, most telling first. */
const NAMES: Record<Exclude<keyof ColumnMapping, 'fixedQuestion'>, readonly string[]> = {
  conversations: ['conversations', 'conversation', 'messages', 'texts', 'dialog', 'turns'],
  image: [
    'image',
    'images',
    'picture',
    'image_path',
    'image_file',
    'file_name',
    'filename',
    'file',
    'path',
    'img',
    'photo',
  ],
  question: ['question', 'query', 'prompt', 'instruction', 'problem', 'input', 'text_in', 'user'],
  answer: [
    'answer',
    'answers',
    'label',
    'labels',
    'response',
    'output',
    'target',
    'caption',
    'captions',
    'text',
    'solution',
    'assistant',
    'description',
    'ground_truth',
  ],
  task: ['task', 'category', 'type', 'question_type', 'source'],
  id: ['id', 'question_id', 'qid', 'uid', 'sample_id'],
  split: ['held_out', 'heldout', 'split', 'subset'],
};

export const DEFAULT_QUESTION = 'What does the picture show?';

/** Which column is probably what, by name. */
export function guessMapping(columns: readonly string[]): ColumnMapping {
  const plain = columns.map((column) =>
    column
      .trim()
      .toLowerCase()
      .replace(/[\s-]+/g, '_'),
  );
  const taken = new Set<number>();
  const find = (role: keyof typeof NAMES): string | null => {
    for (const name of NAMES[role]) {
      const index = plain.findIndex((column, i) => column === name && !taken.has(i));
      if (index < 0) continue;
      taken.add(index);
      return columns[index]!;
    }
    return null;
  };
  const conversations = find('conversations');
  const image = find('image');
  const question = conversations === null ? find('question') : null;
  const answer = conversations === null ? find('answer') : null;
  return {
    conversations,
    image,
    question,
    answer,
    task: find('task'),
    id: find('id'),
    split: find('split'),
    fixedQuestion: DEFAULT_QUESTION,
  };
}
