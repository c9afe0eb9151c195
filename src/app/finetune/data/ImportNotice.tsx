import type { ImportReport } from '../../../datasets/types.ts';
import { Notice } from '../../components/Notice.tsx';
import { formatCount, plural } from '../../format.ts';
import styles from './DataPanel.module.css';

/** What came in, and what was left out and why. */
export function ImportNotice({ report, onDismiss }: { report: ImportReport; onDismiss(): void }) {
  const { records, pictures, problems, problemCount } = report;
  return (
    <Notice tone={problemCount > 0 ? 'warn' : 'info'} role="status" onDismiss={onDismiss}>
      <p>
        {plural(records, 'record')} with {plural(pictures, 'picture')} came in
        {problemCount > 0 && `; ${formatCount(problemCount)} left out or changed`}.
      </p>
      {problemCount > 0 && (
        <details className={styles.problems}>
          <summary>What was left out, and why</summary>
          <ul>
            {problems.map(({ where, reason }, i) => (
              <li key={i}>
                <strong>{where}</strong>: {reason}
              </li>
            ))}
            {problemCount > problems.length && <li>and {formatCount(problemCount - problems.length)} more</li>}
          </ul>
        </details>
      )}
    </Notice>
  );
}
