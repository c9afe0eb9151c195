import type { QuestionFigures } from '../engine/measure/answer-scores.ts';
import { formatPercent, formatTable } from './format.ts';

/** More than so many tables are for `--json`. */
const MOST_TABLES = 6;

/**
 * Right answers by label, and expected labels (rows) against answered ones (columns), of the questions whose answers are labels;
 * empty where there are none, or so many that nobody reads them.
 */
export function labelTables(questions: readonly QuestionFigures[]): string {
  const labelled = questions.flatMap(({ question, labels, confusion }) => (labels && confusion ? [{ question, labels, confusion }] : []));
  if (labelled.length > MOST_TABLES) return '';
  return labelled
    .map(({ question, labels, confusion }) => {
      const rows = confusion.counts.map((row, i) => {
        const { label, right, asked } = labels[i]!;
        return [label, ...row.map(String), formatPercent(right / asked)];
      });
      return `\n${question}\n${formatTable([['expected \\ answered', ...confusion.labels, 'something else', 'right'], ...rows])}`;
    })
    .join('\n');
}
