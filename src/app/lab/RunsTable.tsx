import { useEffect, useState } from 'react';
import type { RunRecord, RunSummary } from '../../engine/runs/training-api.ts';
import { toPlainError, type PlainError } from '../../errors.ts';
import { Button } from '../components/Button.tsx';
import { Dialog } from '../components/Dialog.tsx';
import { Problem } from '../components/Notice.tsx';
import { formatBytes } from '../format.ts';
import { hrefWith, useRoute } from '../router.ts';
import { isTraining } from '../state/finetune-slice.ts';
import { useApp, useEngine } from '../state/hooks.ts';
import { saveBlob } from '../tiles/export-files.ts';
import { zipped } from '../zip-files.ts';
import { LEVEL_COLOURS, smooth } from './curves.ts';
import styles from './Lab.module.css';
import { Overlay } from './Overlay.tsx';
import { settingsDiff } from './settings-diff.ts';

/** Of a run's log, read when the table is opened. */
interface Figures {
  losses: number[];
  final: number | null;
  bestHeldOut: number | null;
}

/** All runs of this browser, newest first: what changed against the one before, what came of it, their curves over each other. */
export function RunsTable() {
  const runs = useApp((state) => state.runs);
  const runsError = useApp((state) => state.runsError);
  const refreshRuns = useApp((state) => state.refreshRuns);
  const busy = useApp((state) => isTraining(state) || state.labLive !== null);
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const [leaving, setLeaving] = useState<RunSummary | null>(null);
  const { figures, error } = useFigures(runs);
  useEffect(() => void refreshRuns(), [refreshRuns]);
  if (runsError) return <Problem error={runsError} />;
  if (runs === null) return <p role="status">Reading the runs…</p>;
  if (runs.length === 0) return <p>No run has been made in this browser yet: start one in Fine-tune, or an experiment here.</p>;
  const byAge = [...runs].sort((a, b) => b.createdAt - a.createdAt);
  const toggle = (id: string) => setPicked((old) => new Set(old.has(id) ? [...old].filter((one) => one !== id) : [...old, id]));
  const curves = byAge
    .filter(({ id }) => picked.has(id) && figures.has(id))
    .map(({ id, title }, i) => ({ label: title, colour: LEVEL_COLOURS[i % LEVEL_COLOURS.length]!, values: figures.get(id)!.losses }));
  return (
    <section className={styles.card} aria-labelledby="lab-runs">
      <h2 id="lab-runs">All runs</h2>
      {error && <Problem error={error} />}
      {curves.length > 0 ? (
        <Overlay title="Training loss of the chosen runs" curves={curves} />
      ) : (
        <p className={styles.muted}>Choose runs to see their losses over each other.</p>
      )}
      <div className={styles.scroll} tabIndex={0} role="region" aria-label="Table of runs">
        <table className={styles.table}>
          <thead>
            <tr>
              <th scope="col">
                <span className="unseen">Show its curve</span>
              </th>
              <th scope="col">Name</th>
              <th scope="col">Date</th>
              <th scope="col">Changed against the run before</th>
              <th scope="col">Steps</th>
              <th scope="col">Final loss</th>
              <th scope="col">Best held-out loss</th>
              <th scope="col">Do</th>
            </tr>
          </thead>
          <tbody>
            {byAge.map((run, i) => (
              <Row
                key={run.id}
                run={run}
                before={byAge[i + 1] ?? null}
                figures={figures.get(run.id) ?? null}
                picked={picked.has(run.id)}
                busy={busy}
                onPick={() => toggle(run.id)}
                onDelete={() => setLeaving(run)}
              />
            ))}
          </tbody>
        </table>
      </div>
      <div className={styles.buttons}>
        <Button
          size="small"
          icon="download"
          onClick={() => saveBlob(new Blob([tableCsv(byAge, figures)], { type: 'text/csv' }), 'runs.csv')}
        >
          Table as CSV
        </Button>
      </div>
      {leaving && <DeleteRun run={leaving} onClose={() => setLeaving(null)} />}
    </section>
  );
}

function Row({
  run,
  before,
  figures,
  picked,
  busy,
  onPick,
  onDelete,
}: {
  run: RunSummary;
  before: RunSummary | null;
  figures: Figures | null;
  picked: boolean;
  busy: boolean;
  onPick(): void;
  onDelete(): void;
}) {
  const route = useRoute();
  const engine = useEngine();
  const showToast = useApp((state) => state.showToast);
  const exported = async () => {
    try {
      saveBlob(await zipped(await engine.exportRun(run.id, 'run')), `${run.title.replaceAll(/[^\w.-]+/g, '-')}.zip`);
    } catch (error) {
      showToast(toPlainError(error).message);
    }
  };
  return (
    <tr>
      <td>
        <input
          type="checkbox"
          aria-label={`Show the curve of ${run.title}`}
          checked={picked}
          disabled={!figures || figures.losses.length === 0}
          onChange={onPick}
        />
      </td>
      <th scope="row">
        <a href={hrefWith('finetune', { step: 'result', run: run.id }, route)}>{run.title}</a>
      </th>
      <td>{new Date(run.createdAt).toLocaleString()}</td>
      <td>{before ? settingsDiff(before.request, run.request) : 'the first run'}</td>
      <td>
        {run.step} of {run.steps}
      </td>
      <td>{figures?.final?.toPrecision(3) ?? '–'}</td>
      <td>{figures?.bestHeldOut?.toPrecision(3) ?? '–'}</td>
      <td className={styles.buttons}>
        <Button size="small" variant="quiet" icon="download" onClick={() => void exported()}>
          Export<span className="unseen"> {run.title}</span>
        </Button>
        <Button size="small" variant="danger" icon="trash" disabled={busy} onClick={onDelete}>
          Delete<span className="unseen"> {run.title}</span>
        </Button>
      </td>
    </tr>
  );
}

function DeleteRun({ run, onClose }: { run: RunSummary; onClose(): void }) {
  const deleteRun = useApp((state) => state.deleteRun);
  return (
    <Dialog title={`Delete “${run.title}”?`} onClose={onClose}>
      <p>
        Its log, its answers, its checkpoint and what it has learnt are gone for good; {formatBytes(run.bytes)} become free. An experiment
        that it belongs to keeps its figures.
      </p>
      <div className={styles.buttons}>
        <Button
          variant="danger"
          icon="trash"
          onClick={() => {
            onClose();
            void deleteRun(run.id);
          }}
        >
          Delete
        </Button>
        <Button onClick={onClose}>Keep</Button>
      </div>
    </Dialog>
  );
}

/** Reads the log of each run once, and again when it has grown. */
function useFigures(runs: readonly RunSummary[] | null): { figures: ReadonlyMap<string, Figures>; error: PlainError | null } {
  const engine = useEngine();
  const [figures, setFigures] = useState<ReadonlyMap<string, Figures>>(new Map());
  const [error, setError] = useState<PlainError | null>(null);
  const key = runs?.map(({ id, step }) => `${id}:${step}`).join(' ') ?? '';
  useEffect(() => {
    let isOver = false;
    const read = async () => {
      const found = new Map<string, Figures>();
      for (const part of key ? key.split(' ') : []) {
        if (isOver) return;
        const id = part.split(':')[0]!;
        found.set(id, figuresOf(await engine.readRun(id)));
      }
      if (!isOver) setFigures(found);
    };
    read().catch((reason: unknown) => !isOver && setError(toPlainError(reason)));
    return () => void (isOver = true);
  }, [engine, key]);
  return { figures, error };
}

function figuresOf({ log }: RunRecord): Figures {
  const losses = log.map(({ loss }) => loss);
  const heldOut = log.flatMap(({ heldOutLoss }) => heldOutLoss ?? []);
  return { losses, final: smooth(losses).at(-1) ?? null, bestHeldOut: heldOut.length > 0 ? Math.min(...heldOut) : null };
}

function tableCsv(runs: readonly RunSummary[], figures: ReadonlyMap<string, Figures>): string {
  // A cell that begins like a formula is text all the same.
  const cell = (value: string | number | null) =>
    `"${String(value ?? '')
      .replaceAll('"', '""')
      .replace(/^(?=[=+\-@])/, "'")}"`;
  const rows = runs.map((run, i) => {
    const before = runs[i + 1];
    const { final = null, bestHeldOut = null } = figures.get(run.id) ?? {};
    return [
      run.title,
      new Date(run.createdAt).toISOString(),
      before ? settingsDiff(before.request, run.request) : '',
      run.step,
      run.steps,
      run.state,
      final,
      bestHeldOut,
    ];
  });
  const head = ['name', 'date', 'changed', 'step', 'steps', 'state', 'final loss', 'best held-out loss'];
  return [head, ...rows].map((row) => row.map(cell).join(',')).join('\r\n') + '\r\n';
}
