/** One question about one picture, and what each contender said. */
export interface BatchRow {
  picture: string;
  question: string;
  /** null where nobody knows. */
  expected: string | null;
  /** By contender; null while it has not answered. */
  answers: (string | null)[];
}

/** Whether an answer is the known one, as a whole; null where nothing is known or said. */
export function isRight(row: BatchRow, contender: number): boolean | null {
  const answer = row.answers[contender];
  return row.expected === null || answer === null || answer === undefined ? null : answer.trim() === row.expected.trim();
}

/** All contenders said the same; null while one has not answered. */
export function agrees({ answers }: BatchRow): boolean | null {
  if (answers.some((answer) => answer === null)) return null;
  return answers.every((answer) => answer!.trim() === answers[0]!.trim());
}

export interface Share {
  count: number;
  of: number;
}

/** How often two contenders said the same, of the rows that both have answered: [contender][contender]. */
export function agreement(rows: readonly BatchRow[], contenders: number): Share[][] {
  return Array.from({ length: contenders }, (_, a) =>
    Array.from({ length: contenders }, (_, b) => {
      const both = rows.filter(({ answers }) => answers[a] !== null && answers[b] !== null);
      return { count: both.filter(({ answers }) => answers[a]!.trim() === answers[b]!.trim()).length, of: both.length };
    }),
  );
}

export function accuracy(rows: readonly BatchRow[], contender: number): Share {
  const judged = rows.map((row) => isRight(row, contender)).filter((right) => right !== null);
  return { count: judged.filter(Boolean).length, of: judged.length };
}

/** RFC 4180; a cell that a spreadsheet would take for a formula is made text. */
export function csvOf(rows: readonly BatchRow[], titles: readonly string[]): string {
  const head = ['picture', 'question', 'expected', ...titles.flatMap((title) => [title, `${title}: right`]), 'agree'];
  const lines = rows.map((row) => [
    row.picture,
    row.question,
    row.expected ?? '',
    ...titles.flatMap((_, contender) => [row.answers[contender] ?? '', words(isRight(row, contender))]),
    words(agrees(row)),
  ]);
  return [head, ...lines].map((line) => `${line.map(cell).join(',')}\r\n`).join('');
}

function words(value: boolean | null): string {
  return value === null ? '' : value ? 'yes' : 'no';
}

function cell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
