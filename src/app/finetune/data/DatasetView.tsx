import { useEffect, useMemo, useRef, useState, type ReactNode } from 'react';
import type { RecordFilter, RecordPage } from '../../../datasets/types.ts';
import type { ModelSource } from '../../../engine/api.ts';
import { toPlainError, type PlainError } from '../../../errors.ts';
import { Button } from '../../components/Button.tsx';
import { Problem } from '../../components/Notice.tsx';
import { Segmented } from '../../components/Segmented.tsx';
import { formatBytes, formatCount, plural } from '../../format.ts';
import { useApp } from '../../state/hooks.ts';
import { dataClient } from './data-client.ts';
import styles from './DataPanel.module.css';
import { PreviewDialog } from './PreviewDialog.tsx';
import { RecordCard, type RecordActions } from './RecordCard.tsx';
import { SplitDialog } from './SplitDialog.tsx';
import { useRecords } from './use-dataset.ts';

/** Few enough that drawing a page is no long task, many enough to leaf through. */
const PAGE = 12;

/** One dataset: its records page by page, and what can be done with all of them. */
export function DatasetView({ id, version, model, add }: { id: string; version: number; model: ModelSource; add: ReactNode }) {
  const [filter, setFilter] = useState<RecordFilter>('all');
  const [search, setSearch] = useState('');
  const [task, setTask] = useState<string | null>(null);
  const [offset, setOffset] = useState(0);
  const [focused, setFocused] = useState<string | null>(null);
  const [dialog, setDialog] = useState<'split' | { preview: string } | null>(null);
  const [failure, setFailure] = useState<PlainError | null>(null);
  const { page, error, refresh } = useRecords(id, { filter, search, task, offset, limit: PAGE });
  const showToast = useApp((state) => state.showToast);
  const top = useRef<HTMLDivElement>(null);
  const known = useRef(0);
  useEffect(() => {
    if (page) known.current = page.summary.records;
  }, [page]);
  // What came in stands last: it is shown at once.
  useEffect(() => {
    if (version === 0) return;
    setFilter('all');
    setSearch('');
    setTask(null);
    setOffset(Math.floor(known.current / PAGE) * PAGE);
    void refresh();
  }, [refresh, version]);

  /** The last page may have gone with its last record. */
  useEffect(() => {
    if (page && offset > 0 && offset >= page.matches) setOffset(Math.max(0, Math.ceil(page.matches / PAGE - 1) * PAGE));
  }, [page, offset]);

  const run = useMemo(
    () => async (work: () => Promise<unknown>) => {
      try {
        await work();
        setFailure(null);
      } catch (cause) {
        setFailure(toPlainError(cause));
      }
      await refresh();
    },
    [refresh],
  );

  const actions = useMemo<RecordActions>(
    () => ({
      save: (record, messages) => void run(() => dataClient.update(id, record.id, { messages })),
      holdOut: (record, heldOut) => void run(() => dataClient.update(id, record.id, { heldOut })),
      askMore: (record) => void run(async () => setFocused(await dataClient.add(id, record.id, true))),
      duplicate: (record) => void run(async () => setFocused(await dataClient.duplicate(id, record.id))),
      remove: (record) =>
        void run(async () => {
          const removed = await dataClient.removeRecords(id, [record.id]);
          showToast(`“${record.id}” deleted`, {
            label: 'Undo',
            run: () => void run(() => dataClient.putBack(id, removed)),
          });
        }),
      preview: (record) => setDialog({ preview: record.id }),
    }),
    [id, run, showToast],
  );

  function turn(to: number): void {
    setOffset(to);
    top.current?.scrollIntoView({ block: 'start' });
  }

  if (error) return <Problem error={error} />;
  if (!page) return <p role="status">Opening the dataset…</p>;
  const { summary, records, matches, tasks } = page;
  const narrowed = (change: () => void) => {
    change();
    setOffset(0);
  };
  return (
    <section className={styles.view} aria-label={`Dataset ${summary.title}`}>
      <Heading page={page} onRename={(title) => void run(() => dataClient.rename(id, title))} />
      {add}
      <div className={styles.tools}>
        <Button
          icon="plus"
          onClick={() =>
            void run(async () => {
              const added = await dataClient.add(id, null, false);
              narrowed(() => (setFilter('all'), setSearch(''), setTask(null)));
              turn(Math.floor(summary.records / PAGE) * PAGE);
              setFocused(added);
            })
          }
        >
          Text-only pair
        </Button>
        <Button icon="half" disabled={summary.records === 0} onClick={() => setDialog('split')}>
          Hold out…
        </Button>
        <Button icon="download" disabled={summary.records === 0} onClick={() => void run(() => saveZip(id, summary.title))}>
          Export zip
        </Button>
      </div>
      {failure && <Problem error={failure} onDismiss={() => setFailure(null)} />}
      <div className={styles.filters} ref={top}>
        <Segmented
          legend="Which records"
          value={filter}
          options={[
            { value: 'all', label: `All ${formatCount(summary.records)}` },
            { value: 'training', label: 'Training' },
            { value: 'held-out', label: `Held out ${formatCount(summary.heldOut)}` },
            { value: 'drafts', label: `Unanswered ${formatCount(summary.drafts)}` },
          ]}
          onChange={(value) => narrowed(() => setFilter(value))}
        />
        <input
          type="search"
          aria-label="Search questions and answers"
          placeholder="Search"
          value={search}
          onChange={(event) => narrowed(() => setSearch(event.target.value))}
        />
        {tasks.length > 1 && (
          <select aria-label="Task" value={task ?? ''} onChange={(event) => narrowed(() => setTask(event.target.value || null))}>
            <option value="">every task</option>
            {tasks.map(({ name, records: count, heldOut }) => (
              <option key={name} value={name}>
                {name} ({count}, {heldOut} held out)
              </option>
            ))}
          </select>
        )}
      </div>
      {records.length === 0 && <p className={styles.none}>No record here. Add pictures, or a text-only pair.</p>}
      <ul className={styles.records}>
        {records.map((record) => (
          <li key={record.id}>
            <RecordCard dataset={id} record={record} actions={actions} focused={focused === record.id} />
          </li>
        ))}
      </ul>
      {matches > PAGE && <Pager offset={offset} matches={matches} onTurn={turn} />}
      {dialog === 'split' && (
        <SplitDialog
          onClose={() => setDialog(null)}
          onSplit={(ratio, seed) => {
            setDialog(null);
            void run(() => dataClient.split(id, ratio, seed));
          }}
        />
      )}
      {dialog !== null && dialog !== 'split' && (
        <PreviewDialog dataset={id} record={dialog.preview} model={model} onClose={() => setDialog(null)} />
      )}
    </section>
  );
}

function Heading({ page: { summary }, onRename }: { page: RecordPage; onRename(title: string): void }) {
  return (
    <header className={styles.heading}>
      <input
        key={summary.title}
        aria-label="Name of the dataset"
        defaultValue={summary.title}
        maxLength={80}
        onBlur={(event) => event.target.value !== summary.title && onRename(event.target.value)}
        onKeyDown={(event) => event.key === 'Enter' && event.currentTarget.blur()}
      />
      <p>
        {plural(summary.records, 'record')} · {plural(summary.pictures, 'picture')} · {formatCount(summary.heldOut)} held out
        {summary.drafts > 0 && ` · ${formatCount(summary.drafts)} without an answer`} · {formatBytes(summary.bytes)}
      </p>
    </header>
  );
}

function Pager({ offset, matches, onTurn }: { offset: number; matches: number; onTurn(offset: number): void }) {
  return (
    <nav className={styles.pager} aria-label="Pages of records">
      <Button disabled={offset === 0} onClick={() => onTurn(offset - PAGE)}>
        Previous
      </Button>
      <span>
        {formatCount(offset + 1)}–{formatCount(Math.min(offset + PAGE, matches))} of {formatCount(matches)}
      </span>
      <Button disabled={offset + PAGE >= matches} onClick={() => onTurn(offset + PAGE)}>
        Next
      </Button>
    </nav>
  );
}

async function saveZip(id: string, title: string): Promise<void> {
  const url = URL.createObjectURL(await dataClient.export(id));
  const link = document.createElement('a');
  link.href = url;
  link.download = `${title.replace(/[^\p{L}\p{N} _-]+/gu, '') || 'dataset'}.zip`;
  link.click();
  // The download has its own hold on the data once it has begun.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
