import { useState } from 'react';
import type { ColumnMapping, TableDescription } from '../../../datasets/types.ts';
import { Button } from '../../components/Button.tsx';
import { Dialog } from '../../components/Dialog.tsx';
import { formatCount } from '../../format.ts';
import styles from './dialogs.module.css';

const ROLES = [
  ['image', 'Picture'],
  ['question', 'Question'],
  ['answer', 'Answer'],
  ['input', 'More of the question'],
  ['choices', 'Choices'],
  ['conversations', 'Conversation (a list of turns)'],
  ['history', 'Earlier turns'],
  ['system', 'System message'],
  ['task', 'Task'],
  ['id', 'Id'],
  ['split', 'Train or test'],
] as const;

/** Which column of a table is what, guessed by name and open to correction. */
export function ColumnsDialog({
  table: { path, columns, rows, mapping: guess },
  onClose,
  onConfirm,
}: {
  table: TableDescription;
  onClose(): void;
  onConfirm(mapping: ColumnMapping): void;
}) {
  const [mapping, setMapping] = useState(guess);
  const usable = mapping.answer !== null || mapping.conversations !== null;
  return (
    <Dialog title={`Columns of ${path.slice(path.lastIndexOf('/') + 1)}`} onClose={onClose}>
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault();
          onConfirm(mapping);
        }}
      >
        <p className={styles.hint}>
          {columns.length} columns{rows !== null && `, ${formatCount(rows)} rows`}. Guessed by their names: correct what is wrong.
        </p>
        <div className={styles.roles}>
          {ROLES.map(([role, name]) => (
            <label key={role} className={styles.role}>
              <span aria-hidden="true">{name}</span>
              <select
                aria-label={name}
                value={mapping[role] ?? ''}
                onChange={(event) => setMapping({ ...mapping, [role]: event.target.value || null })}
              >
                <option value="">none</option>
                {columns.map((column) => (
                  <option key={column} value={column}>
                    {column}
                  </option>
                ))}
              </select>
            </label>
          ))}
        </div>
        {mapping.question === null && mapping.conversations === null && (
          <label className={styles.field}>
            <span>The question asked of every row</span>
            <input
              required
              value={mapping.fixedQuestion}
              onChange={(event) => setMapping({ ...mapping, fixedQuestion: event.target.value })}
            />
          </label>
        )}
        {!usable && <p className={styles.warning}>Say which column holds the answers, or the conversation.</p>}
        <Button type="submit" variant="primary" icon="check" disabled={!usable}>
          Import
        </Button>
      </form>
    </Dialog>
  );
}
