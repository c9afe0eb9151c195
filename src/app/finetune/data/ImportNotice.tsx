import type { ImportProblem, ImportReport } from '../../../datasets/types.ts';
import { Notice } from '../../components/Notice.tsx';
import { formatCount, plural } from '../../format.ts';
import styles from './DataPanel.module.css';

/** What came in, and what was left out and why. */
export function ImportNotice({ report, onDismiss }: { report: ImportReport; onDismiss(): void }) {
  const { records, pictures, problems, problemCount, notes } = report;
  return (
    <Notice tone={problemCount > 0 ? 'warn' : 'info'} role="status" onDismiss={onDismiss}>
      <p>
        {plural(records, 'record')} with {plural(pictures, 'picture')} came in
        {problemCount > 0 && `; ${formatCount(problemCount)} left out or changed`}.
      </p>
      {problemCount > 0 && <Details summary="What was left out, and why" lines={problems} more={problemCount - problems.length} />}
      {notes.length > 0 && <Details summary="What was not read of the rest, or is seen otherwise" lines={notes} more={0} />}
    </Notice>
  );
}

function Details({ summary, lines, more }: { summary: string; lines: readonly ImportProblem[]; more: number }) {
  return (
    <details className={styles.problems}>
      <summary>{summary}</summary>
      <ul>
        {lines.map(({ where, reason }, i) => (
          <li key={i}>
            <strong>{where}</strong>: {reason}
          </li>
        ))}
        {more > 0 && <li>and {formatCount(more)} more</li>}
      </ul>
    </details>
  );
}
