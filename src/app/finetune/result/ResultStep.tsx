import { useRef, useState } from 'react';
import { toPlainError, type PlainError } from '../../../errors.ts';
import { Button } from '../../components/Button.tsx';
import { Problem } from '../../components/Notice.tsx';
import { formatBytes } from '../../format.ts';
import { useApp, useEngine } from '../../state/hooks.ts';
import { openStep } from '../address.ts';
import { RunCard } from './RunCard.tsx';
import { readPickedRun } from './picked-run.ts';
import { runWords } from './run-words.ts';
import styles from './ResultStep.module.css';

/** Every run of this browser, and what one of them has left. */
export function ResultStep({ run }: { run: string | null }) {
  const runs = useApp((state) => state.runs);
  const live = useApp((state) => state.liveRun);
  const error = useApp((state) => state.runsError);
  const chosen = runs?.find(({ id }) => id === run) ?? (run === null ? runs?.[0] : undefined) ?? null;
  return (
    <div className={styles.columns}>
      <section className={styles.runs} aria-labelledby="runs-title">
        <h2 id="runs-title">Runs</h2>
        {runs === null && !error && <p className={styles.muted}>Looking…</p>}
        {runs?.length === 0 && <p className={styles.muted}>None yet: choose data, then start one.</p>}
        <ul>
          {runs?.map((one) => (
            <li key={one.id}>
              <button
                type="button"
                className={styles.run}
                aria-pressed={one.id === chosen?.id}
                onClick={() => openStep('result', { run: one.id })}
              >
                <strong>{one.title}</strong>
                <span>
                  {runWords(one, live)} · {formatBytes(one.bytes)}
                </span>
              </button>
            </li>
          ))}
        </ul>
        <ImportRun />
        {error && <Problem error={error} />}
      </section>
      {chosen ? (
        <RunCard key={chosen.id} summary={chosen} />
      ) : (
        runs !== null && run !== null && <p className={styles.muted}>There is no such run in this browser.</p>
      )}
    </div>
  );
}

function ImportRun() {
  const engine = useEngine();
  const refreshRuns = useApp((state) => state.refreshRuns);
  const showToast = useApp((state) => state.showToast);
  const zip = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<PlainError | null>(null);

  async function take(files: FileList | null): Promise<void> {
    if (!files || files.length === 0) return;
    setBusy(true);
    setError(null);
    try {
      const summary = await engine.importRun(await readPickedRun([...files]));
      await refreshRuns();
      showToast(`“${summary.title}” is here.`);
      openStep('result', { run: summary.id });
    } catch (reason) {
      setError(toPlainError(reason));
    }
    setBusy(false);
  }

  return (
    <div className={styles.imports}>
      <Button size="small" disabled={busy} onClick={() => folder.current?.click()}>
        {busy ? 'Reading…' : 'Import a run’s folder…'}
      </Button>
      <Button size="small" disabled={busy} onClick={() => zip.current?.click()}>
        or its ZIP…
      </Button>
      <input
        ref={folder}
        type="file"
        hidden
        aria-label="Folder of a run"
        {...{ webkitdirectory: '' }}
        onChange={({ target }) => {
          void take(target.files).finally(() => (target.value = ''));
        }}
      />
      <input
        ref={zip}
        type="file"
        accept=".zip,application/zip"
        hidden
        aria-label="ZIP file of a run"
        onChange={({ target }) => {
          void take(target.files).finally(() => (target.value = ''));
        }}
      />
      {error && <Problem error={error} onDismiss={() => setError(null)} />}
    </div>
  );
}
