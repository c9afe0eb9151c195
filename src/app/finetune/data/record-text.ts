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
  const turns = messages.filter(({ role }) => role !== 'system');
  const pairs = Array.from({ length: turns.length / 2 }, (_, i) => ({
    question: turns[2 * i]!.content,
    answer: turns[2 * i + 1]!.content,
  }));
  const [first] = pairs;
  if (!first) return [{ question: '', answer: '' }];
  if (first.question.startsWith(LEAD)) first.question = first.question.slice(LEAD.length);
  return pairs;
}

/** The turns of these pairs, behind the system message that the record came with. */
export function messagesOf(pairs: readonly Pair[], { image, messages }: DatasetRecord): DatasetRecord['messages'] {
  const system = messages.filter(({ role }) => role === 'system');
  // Nothing written yet: still a draft.
  if (pairs.every(({ question, answer }) => question.trim() === '' && answer.trim() === '')) return system;
  const isPlaced = pairs.some(({ question }) => question.includes(PLACEHOLDER));
  const turns = pairs.flatMap(({ question, answer }, i) => {
    const lead = i === 0 && image !== null && !isPlaced ? LEAD : '';
    return [
      { role: 'user' as const, content: lead + question },
      { role: 'assistant' as const, content: answer },
    ];
  });
  return [...system, ...turns];
}
