/** An answer to one question of a run or an evaluation. */
export interface Answered {
  /** With or without the picture's placeholder. */
  question: string;
  expected: string;
  answer: string;
}

export interface LabelScore {
  /** The expected answer. */
  label: string;
  asked: number;
  right: number;
}

/** Expected answers against given ones. */
export interface Confusion<T> {
  labels: string[];
  /** `cells[expected][answered]`: what fell there; one column more than labels, for every other answer. */
  cells: T[][][];
}

/** All that one question was answered. */
export interface QuestionScore<T> {
  question: string;
  asked: number;
  right: number;
  /** In the order of {@link Confusion.labels}. */
  labels: LabelScore[];
  /** null where the expected answers are no labels: one alone, too many, too long, or none that comes back. */
  confusion: Confusion<T> | null;
}

/** The same as plain numbers, for JSON. */
export interface QuestionFigures {
  question: string;
  asked: number;
  right: number;
  /** null where the expected answers are no labels. */
  labels: LabelScore[] | null;
  /** `counts[expected][answered]`, the last column for every other answer. */
  confusion: { labels: string[]; counts: number[][] } | null;
}

/** A table of more is not read any more. */
const MOST_LABELS = 24;
/** Characters; a sentence to be written out is no label. */
const LONGEST_LABEL = 60;

const inOrder = new Intl.Collator('en', { numeric: true });

/** As every evaluation here counts: the whole answer, spaces at its ends aside. */
export function isRight(answer: string | null, expected: string): boolean {
  return answer !== null && answer.trim() === expected.trim();
}

/** A question as people read it: the placeholder says where the picture stands, which is on show beside it. */
export function spokenQuestion(question: string): string {
  return question.replace('<image>', '').trim();
}

/** Right answers by question (the same words are one task) and by expected answer, most asked first. */
export function scoreAnswers<T extends Answered>(answers: readonly T[]): QuestionScore<T>[] {
  const byQuestion = groupBy(answers, ({ question }) => spokenQuestion(question));
  return [...byQuestion].map(([question, group]) => scoreOf(question, group)).sort((a, b) => b.asked - a.asked);
}

export function figuresOf<T>({ question, asked, right, labels, confusion }: QuestionScore<T>): QuestionFigures {
  return {
    question,
    asked,
    right,
    labels: confusion && labels,
    confusion: confusion && {
      labels: confusion.labels,
      counts: confusion.cells.map((row) => row.map(({ length }) => length)),
    },
  };
}

/** In the order of their first. `Map.groupBy` is not everywhere yet. */
function groupBy<T>(all: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const group = groups.get(keyOf(one));
    if (group) group.push(one);
    else groups.set(keyOf(one), [one]);
  }
  return groups;
}

function scoreOf<T extends Answered>(question: string, group: readonly T[]): QuestionScore<T> {
  const byLabel = groupBy(group, ({ expected }) => expected.trim());
  const names = [...byLabel.keys()].sort(inOrder.compare);
  const rightOf = (some: readonly T[]) => some.filter(({ answer, expected }) => isRight(answer, expected)).length;
  const labels = names.map((label) => {
    const some = byLabel.get(label)!;
    return { label, asked: some.length, right: rightOf(some) };
  });
  return { question, asked: group.length, right: rightOf(group), labels, confusion: confusionOf(names, byLabel, group.length) };
}

function confusionOf<T extends Answered>(labels: string[], byLabel: ReadonlyMap<string, readonly T[]>, asked: number): Confusion<T> | null {
  const areLabels = labels.length >= 2 && labels.length <= MOST_LABELS && labels.length < asked;
  if (!areLabels || labels.some(({ length }) => length > LONGEST_LABEL)) return null;
  const columns = new Map(labels.map((label, i) => [label, i]));
  const cells = labels.map((label) => {
    const row: T[][] = Array.from({ length: labels.length + 1 }, () => []);
    for (const one of byLabel.get(label)!) row[columns.get(one.answer.trim()) ?? labels.length]!.push(one);
    return row;
  });
  return { labels, cells };
}
