import { useState } from 'react';
import type { ImportChoices, ImportDescription } from '../../../datasets/types.ts';
import { Button } from '../../components/Button.tsx';
import { Dialog } from '../../components/Dialog.tsx';
import { plural } from '../../format.ts';
import { isComplete, LABEL_PLACE, SentenceFields, type Sentences } from './SentenceFields.tsx';
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
  const [sentences, setSentences] = useState<Sentences>({ question: usual, answer: LABEL_PLACE });
  const named = labels.slice(0, MOST_NAMED).map(({ label, pictures }) => `${label} (${pictures})`);
  if (labels.length > MOST_NAMED) named.push(`${labels.length - MOST_NAMED} more`);
  return (
    <Dialog title="Folders as labels" onClose={onClose}>
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault();
          onConfirm({ question: sentences.question.trim(), answer: sentences.answer.trim() });
        }}
      >
        <p className={styles.hint}>
          The pictures lie in {plural(labels.length, 'folder')}: {named.join(', ')}. Each folder’s name becomes the answer about the
          pictures in it.
        </p>
        <SentenceFields value={sentences} example={labels[0]?.label ?? ''} onChange={setSentences} />
        <div className={styles.actions}>
          <Button type="submit" variant="primary" icon="check" disabled={!isComplete(sentences)}>
            Use the names as answers
          </Button>
          <Button onClick={() => onConfirm({ folderLabels: false })}>Leave the answers empty</Button>
        </div>
      </form>
    </Dialog>
  );
}
