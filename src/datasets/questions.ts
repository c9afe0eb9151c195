import { imageMessage } from '../text/conversation.ts';
import type { ChatMessage } from '../text/types.ts';
import { parseRecords, type DataProblem } from './llava.ts';
import type { DatasetRecord } from './types.ts';

/** One answer to be given: a LLaVA record with one turn is one question, with two turns it is two. */
export interface DataQuestion {
  /** The record's; further turns of it are `id#2`, `id#3` … */
  id: string;
  task: string;
  /** Path as it stands in the record; null for text only, and before the turn in which the picture stands. */
  image: string | null;
  /** The conversation up to and with the question; earlier answers are the record's own. */
  messages: ChatMessage[];
  answer: string;
}

/** The questions of {@link parseRecords}, each with the conversation before it. */
export function parseConversations(text: string): { questions: DataQuestion[]; problems: DataProblem[] } {
  const { records, problems } = parseRecords(text);
  return { questions: records.flatMap(questionsOf), problems };
}

/** One question for every answer of a record. */
export function questionsOf({ id, task, image, messages }: DatasetRecord): DataQuestion[] {
  const pictureAt = imageMessage(messages);
  const answers = messages.flatMap(({ role }, i) => (role === 'assistant' ? [i] : []));
  return answers.map((at, turn) => ({
    id: turn === 0 ? id : `${id}#${turn + 1}`,
    task,
    image: pictureAt < at ? image : null,
    messages: messages.slice(0, at),
    answer: messages[at]!.content,
  }));
}
