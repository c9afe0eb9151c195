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
  /** A system message if need be, then user and assistant in turn; every answer in it can be learnt. */
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

/** What is not read of what came in, or read otherwise than it looks. */
export interface ImportNote extends ImportProblem {
  /** Fields of rows that no record holds, files that were passed over, or pictures, see `pictureNotice`. */
  about: 'fields' | 'files' | 'pictures';
}

/** Which column of a table is what; null = none. */
export interface ColumnMapping {
  image: string | null;
  question: string | null;
  answer: string | null;
  /** A list of turns, in place of question and answer. */
  conversations: string | null;
  /** What belongs to the question: Alpaca's `input`, a context. */
  input: string | null;
  /** A list of which the answer is one, said by its words, number or letter. */
  choices: string | null;
  /** Earlier turns. */
  history: string | null;
  /** A system message. */
  system: string | null;
  task: string | null;
  id: string | null;
  /** A column that says `test`, `validation`, `held_out` or true of rows that are kept out of training. */
  split: string | null;
  /** Asked about pictures where there is no question column. */
  fixedQuestion: string;
}

/** A CSV or parquet file before it is imported. */
export interface TableDescription {
  path: string;
  columns: string[];
  /** null where counting would mean reading all of it. */
  rows: number | null;
  mapping: ColumnMapping;
}

/** A folder whose name is the answer about the pictures in it. */
export interface LabelDescription {
  label: string;
  pictures: number;
}

/** What a person may want to decide before an import. */
export interface ImportDescription {
  /** CSV and parquet files. */
  tables: TableDescription[];
  /** None where pictures do not lie in a folder a label, or where there is data besides. */
  labels: LabelDescription[];
  /** What is asked about labelled pictures if nothing else is chosen. */
  question: string;
}

/** What is asked about a picture where nothing else is. */
export const DEFAULT_QUESTION = 'What does the picture show?';

/** Where the label of a picture stands in a sentence about it. */
export const LABEL_PLACE = '{label}';

/** What a person decided. */
export interface ImportChoices {
  /** Columns of tables; null = as their names say. */
  mapping?: ColumnMapping | null;
  /** Asked about pictures whose rows have no question, and whose folders are their labels. */
  question?: string;
  /**
   * The answer about pictures whose folders are their labels, with {@link LABEL_PLACE} where the label stands; the label alone if not
   * given.
   */
  answer?: string;
  /** Whether folders are labels of the pictures in them; else these wait for their questions. On if not given. */
  folderLabels?: boolean;
}

export interface ImportReport {
  records: number;
  pictures: number;
  /** The first of them; see `problemCount`. */
  problems: ImportProblem[];
  problemCount: number;
  /** What came in without some part of it, by file. */
  notes: ImportNote[];
}

export interface ImportProgress {
  /** What is being read, in words. */
  what: string;
  done: number;
  /** 0 = not known. */
  total: number;
  unit: 'records' | 'bytes';
}

export type RecordFilter = 'all' | 'training' | 'held-out' | 'drafts';

/** A page of a dataset's records. */
export interface RecordQuery {
  filter: RecordFilter;
  /** Found in questions, answers, task or id, whatever its case; empty = all. */
  search: string;
  /** null = every task. */
  task: string | null;
  offset: number;
  limit: number;
}

export interface RecordPage {
  summary: DatasetSummary;
  records: DatasetRecord[];
  /** That the query matches, of all pages. */
  matches: number;
  tasks: { name: string; records: number; heldOut: number }[];
}

/** Taken out records with their places, to put them back. */
export interface RemovedRecord {
  index: number;
  record: DatasetRecord;
}

/** Something drawn that no nano model knows. */
export type LessonName = 'ring' | 'due' | 'labels';

export interface GenerateRequest {
  pictures: number;
  seed: number;
  /** Of the world that the nano models know: kinds of picture, and `text`; none = all. Without meaning for a lesson. */
  kinds: string[];
  /** A new thing to teach; as many pictures again, up to 40, are drawn and held out. */
  lesson?: LessonName;
}
