import type { ChatMessage } from '../text/types.ts';

/** Pictures and conversations about them, kept in the browser's private storage or in a folder. */
export interface DatasetSummary {
  id: string;
  title: string;
  records: number;
  /** Of these, how many are kept out of training, to measure it. */
  heldOut: number;
  /** Records without an answer to learn yet; training leaves them out. */
  drafts: number;
  pictures: number;
  /** All files. */
  bytes: number;
  /** Milliseconds since 1970. */
  changedAt: number;
}

/** One LLaVA record. */
export interface DatasetRecord {
  id: string;
  task: string;
  /** Path of the picture beside `data.json`; null for text only. */
  image: string | null;
  /** User and assistant in turn; every answer in it can be learnt. */
  messages: ChatMessage[];
  /** `held_out`: kept out of training, to measure it. */
  heldOut: boolean;
}

/** A row or file that could not be imported, and why. */
export interface ImportProblem {
  /** Where it stood: file and row. */
  where: string;
  reason: string;
}
