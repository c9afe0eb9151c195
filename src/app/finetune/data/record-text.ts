import type { DatasetRecord } from '../../../datasets/types.ts';

/** One question and its answer, as they are edited. */
export interface Pair {
  question: string;
  answer: string;
}

const PLACEHOLDER = '<image>';
const LEAD = `${PLACEHOLDER}\n`;

/** The record's turns; one empty pair where there is none yet. The picture's placeholder at the start goes unsaid. */
export function pairsOf({ messages }: DatasetRecord): Pair[] {
  const pairs = Array.from({ length: messages.length / 2 }, (_, i) => ({
    question: messages[2 * i]!.content,
    answer: messages[2 * i + 1]!.content,
  }));
  const [first] = pairs;
  if (!first) return [{ question: '', answer: '' }];
  if (first.question.startsWith(LEAD)) first.question = first.question.slice(LEAD.length);
  return pairs;
}

export function messagesOf(pairs: readonly Pair[], { image }: DatasetRecord): DatasetRecord['messages'] {
  // Nothing written yet: still a draft.
  if (pairs.every(({ question, answer }) => question.trim() === '' && answer.trim() === '')) return [];
  return pairs.flatMap(({ question, answer }, i) => {
    const lead = i === 0 && image !== null && !question.includes(PLACEHOLDER) ? LEAD : '';
    return [
      { role: 'user' as const, content: lead + question },
      { role: 'assistant' as const, content: answer },
    ];
  });
}
