import { memo, useEffect, useId, useRef, useState } from 'react';
import type { DatasetRecord } from '../../../datasets/types.ts';
import { Button, IconButton } from '../../components/Button.tsx';
import { Thumbnail } from './Thumbnail.tsx';
import styles from './RecordCard.module.css';
import { messagesOf, pairsOf, type Pair } from './record-text.ts';

export interface RecordActions {
  save(record: DatasetRecord, messages: DatasetRecord['messages']): void;
  holdOut(record: DatasetRecord, heldOut: boolean): void;
  /** A further record about the same picture. */
  askMore(record: DatasetRecord): void;
  duplicate(record: DatasetRecord): void;
  remove(record: DatasetRecord): void;
  preview(record: DatasetRecord): void;
}

const SAVE_AFTER_MS = 500;

/** One record, edited where it stands; it is saved soon after the last key and when the field is left. */
export const RecordCard = memo(function RecordCard({
  dataset,
  record,
  actions,
  focused,
}: {
  dataset: string;
  record: DatasetRecord;
  actions: RecordActions;
  /** Just added: its question has the focus. */
  focused: boolean;
}) {
  const [pairs, setPairs] = useState<Pair[]>(() => pairsOf(record));
  // Shown at once; the record follows when it is saved.
  const [heldOut, setHeldOut] = useState(record.heldOut);
  useEffect(() => setHeldOut(record.heldOut), [record.heldOut]);
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  const pending = useRef<Pair[] | null>(null);
  const question = useRef<HTMLTextAreaElement>(null);
  const name = useId();
  useEffect(() => {
    if (focused) question.current?.focus();
  }, [focused]);

  function flush(): void {
    if (timer.current) clearTimeout(timer.current);
    timer.current = null;
    if (pending.current) actions.save(record, messagesOf(pending.current, record));
    pending.current = null;
  }
  const flushLast = useRef(flush);
  useEffect(() => {
    flushLast.current = flush;
  });
  useEffect(() => () => flushLast.current(), []);

  function edit(next: Pair[]): void {
    setPairs(next);
    pending.current = next;
    if (timer.current) clearTimeout(timer.current);
    timer.current = setTimeout(() => flushLast.current(), SAVE_AFTER_MS);
  }
  const set = (i: number, patch: Partial<Pair>) => edit(pairs.map((pair, k) => (k === i ? { ...pair, ...patch } : pair)));
  const draft = pairs.some(({ answer }) => answer.trim() === '');

  return (
    <article className={styles.card} aria-labelledby={name} data-draft={draft || undefined}>
      <div className={styles.side}>
        {record.image ? <Thumbnail dataset={dataset} path={record.image} /> : <span className={styles.noPicture}>text only</span>}
      </div>
      <div className={styles.main}>
        <header className={styles.head}>
          <h2 id={name} className={styles.name} title={record.id}>
            {record.id}
          </h2>
          {record.task !== 'all' && <span className={styles.task}>{record.task}</span>}
          {draft && <span className={styles.draft}>needs an answer</span>}
        </header>
        {record.messages.map(
          ({ role, content }, i) =>
            role === 'system' && (
              <p key={`system-${i}`} className={styles.system}>
                System message: {content}
              </p>
            ),
        )}
        {pairs.map((pair, i) => (
          <div key={i} className={styles.pair}>
            <Field
              ref={i === 0 ? question : undefined}
              label={pairs.length > 1 ? `Question ${i + 1}` : 'Question'}
              of={record.id}
              value={pair.question}
              onChange={(value) => set(i, { question: value })}
              onLeave={flush}
            />
            <Field
              label={pairs.length > 1 ? `Answer ${i + 1}` : 'Answer'}
              of={record.id}
              value={pair.answer}
              onChange={(value) => set(i, { answer: value })}
              onLeave={flush}
            />
          </div>
        ))}
        <footer className={styles.foot}>
          <label className={styles.check}>
            <input
              type="checkbox"
              checked={heldOut}
              onChange={(event) => {
                setHeldOut(event.target.checked);
                actions.holdOut(record, event.target.checked);
              }}
            />
            Held out
          </label>
          <span className={styles.tools}>
            {record.image && (
              <Button size="small" variant="quiet" icon="plus" onClick={() => (flush(), actions.askMore(record))}>
                Another question
              </Button>
            )}
            <Button size="small" variant="quiet" icon="chat" onClick={() => edit([...pairs, { question: '', answer: '' }])}>
              Follow-up
            </Button>
            {pairs.length > 1 && (
              <Button size="small" variant="quiet" icon="close" onClick={() => edit(pairs.slice(0, -1))}>
                Last turn
              </Button>
            )}
            <Button size="small" variant="quiet" icon="tiles" onClick={() => (flush(), actions.preview(record))}>
              Tokens
            </Button>
            <IconButton icon="copy" label={`Duplicate ${record.id}`} onClick={() => (flush(), actions.duplicate(record))} />
            <IconButton icon="trash" label={`Delete ${record.id}`} onClick={() => (flush(), actions.remove(record))} />
          </span>
        </footer>
      </div>
    </article>
  );
});

function Field({
  ref,
  label,
  of,
  value,
  onChange,
  onLeave,
}: {
  ref?: React.Ref<HTMLTextAreaElement>;
  label: string;
  of: string;
  value: string;
  onChange(value: string): void;
  onLeave(): void;
}) {
  return (
    <label className={styles.field}>
      <span>
        {label}
        <span className="unseen"> of {of}</span>
      </span>
      <textarea
        ref={ref}
        rows={1}
        value={value}
        maxLength={100_000}
        onChange={(event) => onChange(event.target.value)}
        onBlur={onLeave}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) event.currentTarget.blur();
        }}
      />
    </label>
  );
}
