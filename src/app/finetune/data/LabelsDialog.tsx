import { useState } from 'react';
import type { ImportChoices, ImportDescription } from '../../../datasets/types.ts';
import { Button } from '../../components/Button.tsx';
import { Dialog } from '../../components/Dialog.tsx';
import { plural } from '../../format.ts';
import styles from './dialogs.module.css';

const MOST_NAMED = 12;

/** Pictures that lie in a folder a label: which labels, and the question that they answer. */
export function LabelsDialog({
  labels,
  question: usual,
  onClose,
  onConfirm,
}: Omit<ImportDescription, 'tables'> & {
  onClose(): void;
  onConfirm(choices: ImportChoices): void;
}) {
  const [question, setQuestion] = useState(usual);
  const named = labels.slice(0, MOST_NAMED).map(({ label, pictures }) => `${label} (${pictures})`);
  if (labels.length > MOST_NAMED) named.push(`${labels.length - MOST_NAMED} more`);
  return (
    <Dialog title="Folders as labels" onClose={onClose}>
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault();
          onConfirm({ question: question.trim() });
        }}
      >
        <p className={styles.hint}>
          The pictures lie in {plural(labels.length, 'folder')}: {named.join(', ')}. Each folder’s name becomes the answer about the
          pictures in it.
        </p>
        <label className={styles.field}>
          <span>The question asked of every picture</span>
          <input required autoFocus value={question} onChange={(event) => setQuestion(event.target.value)} />
        </label>
        <div className={styles.actions}>
          <Button type="submit" variant="primary" icon="check">
            Use the names as answers
          </Button>
          <Button onClick={() => onConfirm({ folderLabels: false })}>Leave the answers empty</Button>
        </div>
      </form>
    </Dialog>
  );
}
