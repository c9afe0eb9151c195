import type { DEFAULT_QUESTION as Question, LABEL_PLACE as Place } from '../../../datasets/types.ts';
import styles from './dialogs.module.css';

/** The data's own, which live in a worker; held to them by their types. */
export const LABEL_PLACE: typeof Place = '{label}';
export const DEFAULT_QUESTION: typeof Question = 'What does the picture show?';

/** What is asked about every labelled picture, and the answer with the label's place in it. */
export interface Sentences {
  question: string;
  answer: string;
}

export function isComplete({ question, answer }: Sentences): boolean {
  return question.trim() !== '' && answer.includes(LABEL_PLACE);
}

/**
 * @param example a label, to show what the answer becomes
 */
export function SentenceFields({ value, example, onChange }: { value: Sentences; example: string; onChange(value: Sentences): void }) {
  const { question, answer } = value;
  return (
    <>
      <label className={styles.field}>
        <span>The question asked of every picture</span>
        <input required maxLength={1000} value={question} onChange={({ target }) => onChange({ ...value, question: target.value })} />
      </label>
      <label className={styles.field}>
        <span>The answer</span>
        <input
          required
          maxLength={1000}
          value={answer}
          aria-describedby="answer-becomes"
          onChange={({ target }) => onChange({ ...value, answer: target.value })}
        />
      </label>
      <p id="answer-becomes" className={answer.includes(LABEL_PLACE) ? styles.hint : styles.warning}>
        {answer.includes(LABEL_PLACE)
          ? `${LABEL_PLACE} stands for the label: “${answer.trim().replaceAll(LABEL_PLACE, () => example || '…')}”`
          : `Put ${LABEL_PLACE} where the label stands; else every answer is the same.`}
      </p>
    </>
  );
}
