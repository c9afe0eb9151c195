import { noteOfLines } from '../note.ts';
import { CHARACTERS, GRIDS, WORDS } from '../vocabulary.ts';
import { compose, keepCharacters, quoted, smallestGrid } from './composition.ts';
import type { ComposeStyle, Composition } from './composition.ts';

/** The nano models have seen notes of at most this many lines, and this many characters a line but for known words. */
export const MOST_LINES = 7;
export const LONGEST_LINE = 7;

/**
 * A note from typed text: letters become capitals, every word gets a line of its own (the nano models know notes of one
 * word, code or number a line), and the smallest picture that holds them is taken.
 */
export function composeNote(text: string, style: ComposeStyle = {}): Composition {
  const problems: string[] = [];
  const hints: string[] = [];
  const words: string[] = [];
  // More than a form can sensibly hold is not even looked at.
  for (const [i, line] of text
    .slice(0, 4000)
    .split(/\r\n|[\r\n]/)
    .entries()) {
    const parts = line.split(/\s+/).filter((part) => part !== '');
    const kept: string[] = [];
    for (const part of parts) {
      const { text: word, dropped } = keepCharacters(part, CHARACTERS);
      if (dropped.length > 0) problems.push(`Line ${i + 1}: ${quoted(dropped)} left out: there are only A–Z, 0–9 and the point.`);
      const fitting = WORDS.includes(word) ? word : word.slice(0, LONGEST_LINE);
      if (fitting !== word) problems.push(`Line ${i + 1}: cut to “${fitting}”: ${LONGEST_LINE} characters fit.`);
      if (fitting !== '') kept.push(fitting);
    }
    if (kept.length > 1) hints.push(`Line ${i + 1} has several words: each stands on a line of its own.`);
    words.push(...kept);
  }
  if (words.length === 0) problems.push('Type at least one letter or digit.');
  if (words.length > MOST_LINES) problems.push(`Only the first ${MOST_LINES} lines are drawn: more do not fit.`);
  const lines = words.slice(0, MOST_LINES);
  const alike = lines.filter((word) => /[OI]/.test(word) && !WORDS.includes(word));
  if (alike.length > 0) hints.push(`O and I look like 0 and 1 and may be misread in ${quoted([...new Set(alike)])}.`);
  if (lines.some((word) => word.includes('.'))) hints.push('The nano models know the point from receipts only and may misread it here.');
  const width = Math.max(0, ...lines.map((line) => line.length));
  const grid = smallestGrid(width, lines.length) ?? GRIDS[0]!;
  // From the top without gaps: nano-d read this best of the layouts tried (0.90 against 0.86 spread over the picture).
  return compose(
    style,
    () =>
      noteOfLines(
        grid,
        lines.map((line, row) => ({ row, text: line })),
      ),
    problems,
    hints,
  );
}
