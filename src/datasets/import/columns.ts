import { DEFAULT_QUESTION, type ColumnMapping } from '../types.ts';

/** Names under which published datasets have a column, most telling first. */
const NAMES: Record<Exclude<keyof ColumnMapping, 'fixedQuestion'>, readonly string[]> = {
  conversations: ['conversations', 'conversation', 'messages', 'texts', 'dialog', 'dialogue', 'turns'],
  image: [
    'image',
    'images',
    'picture',
    'pictures',
    'image_path',
    'image_file',
    'image_name',
    'file_name',
    'filename',
    'file',
    'path',
    'img',
    'img_path',
    'photo',
  ],
  question: ['question', 'query', 'prompt', 'instruction', 'problem', 'input', 'text_in', 'user'],
  answer: [
    'multiple_choice_answer',
    'answer',
    'answers',
    'label',
    'labels',
    'response',
    'output',
    'completion',
    'target',
    'caption',
    'captions',
    'text',
    'solution',
    'assistant',
    'description',
    'ground_truth',
  ],
  input: ['input', 'context', 'hint'],
  choices: ['choices', 'options', 'candidates'],
  history: ['history'],
  system: ['system', 'system_prompt', 'system_message'],
  task: ['task', 'category', 'type', 'question_type', 'source'],
  id: ['id', 'question_id', 'qid', 'uid', 'sample_id'],
  split: ['held_out', 'heldout', 'split', 'data_split', 'subset'],
};

/** Which column is probably what, by name. */
export function guessMapping(columns: readonly string[], fixedQuestion: string = DEFAULT_QUESTION): ColumnMapping {
  const plain = columns.map((column) =>
    column
      .trim()
      .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
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
    input: question === null ? null : find('input'),
    choices: answer === null ? null : find('choices'),
    history: find('history'),
    system: find('system'),
    task: find('task'),
    id: find('id'),
    split: find('split'),
    fixedQuestion,
  };
}
