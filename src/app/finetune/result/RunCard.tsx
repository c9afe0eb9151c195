import { useState } from 'react';
import type { RunExport, RunSummary } from '../../../engine/runs/training-api.ts';
import { toPlainError, type PlainError } from '../../../errors.ts';
import { Button } from '../../components/Button.tsx';
import { Dialog } from '../../components/Dialog.tsx';
import { Problem } from '../../components/Notice.tsx';
import { formatBytes, formatCount } from '../../format.ts';
import { hrefWith, useRoute } from '../../router.ts';
import { isTraining } from '../../state/finetune-slice.ts';
import { useApp, useEngine } from '../../state/hooks.ts';
import { exportName, saveBlob } from '../../tiles/export-files.ts';
import { zipped } from '../../zip-files.ts';
import { openStep } from '../address.ts';
import { pictureUrls } from '../datasets.ts';
import { lossWords } from '../run/Charts.tsx';
import { ResumeButton } from '../run/ResumeButton.tsx';
import { Samples } from '../run/Samples.tsx';
import { useRunView } from '../run/use-run-view.ts';
import { reportHtml, reportJson } from './report.ts';
import { isGoing, runWords } from './run-words.ts';
import { Scores } from './Scores.tsx';
import styles from './ResultStep.module.css';

/** What one run has left, and where it can go from here. */
export function RunCard({ summary }: { summary: RunSummary }) {
  const route = useRoute();
  const view = useRunView(summary.id);
  const training = useApp(isTraining);
  const live = useApp((state) => state.liveRun);
  const [dialog, setDialog] = useState<'rename' | 'delete' | null>(null);
  const dataset = typeof summary.request.run['data'] === 'string' ? summary.request.run['data'] : null;
  const toRun = () => openStep('run', { run: summary.id });
  return (
    <article className={styles.card} aria-labelledby="result-title">
      <header>
        <h2 id="result-title">{summary.title}</h2>
        <p className={styles.muted}>
          {runWords(summary, live)} · {new Date(summary.createdAt).toLocaleString()} · {formatBytes(summary.bytes)} in this browser
        </p>
        {view && view.history.length > 0 && <p>{lossWords(view.history)}</p>}
        {summary.note && <p className={styles.muted}>{summary.note}</p>}
      </header>
      <div className={styles.buttons}>
        {summary.result === 'adapter' && (
          <a className={styles.link} href={hrefWith('chat', { adapters: summary.id }, route)}>
            Try it in Chat
          </a>
        )}
        {summary.result === 'model' && (
          <a className={styles.link} href={hrefWith('chat', { model: `run:${summary.id}` }, route)}>
            Try it in Chat
          </a>
        )}
        {summary.state === 'finished' ? (
          <ResumeButton
            summary={summary}
            words={`Train on to ${formatCount(summary.steps * 2)} steps`}
            changes={{ steps: summary.steps * 2 }}
            onGo={toRun}
          />
        ) : (
          !isGoing(summary, live) && <ResumeButton summary={summary} words="Resume" onGo={toRun} />
        )}
        <Button variant="quiet" onClick={toRun}>
          See its course
        </Button>
      </div>
      {view && <Scores history={view.history} version={view.version} dataset={dataset} wanted={summary.request.samples} />}
      {view && <Samples history={view.history} version={view.version} dataset={dataset} />}
      <Downloads summary={summary} dataset={dataset} />
      <div className={styles.buttons}>
        <Button size="small" variant="quiet" icon="pencil" onClick={() => setDialog('rename')}>
          Rename
        </Button>
        <Button size="small" variant="danger" icon="trash" disabled={training} onClick={() => setDialog('delete')}>
          Delete
        </Button>
      </div>
      {dialog === 'rename' && <RenameDialog summary={summary} onClose={() => setDialog(null)} />}
      {dialog === 'delete' && <DeleteDialog summary={summary} onClose={() => setDialog(null)} />}
    </article>
  );
}

function Downloads({ summary, dataset }: { summary: RunSummary; dataset: string | null }) {
  const engine = useEngine();
  const device = useApp((state) => state.device);
  const [busy, setBusy] = useState<string | null>(null);
  const [error, setError] = useState<PlainError | null>(null);

  async function make(what: string, work: () => Promise<void>): Promise<void> {
    setBusy(what);
    setError(null);
    try {
      await work();
    } catch (reason) {
      setError(toPlainError(reason));
    }
    setBusy(null);
  }

  const download = (what: RunExport) =>
    make(what, async () => saveBlob(await zipped(await engine.exportRun(summary.id, what)), exportName(summary.title, `${what}.zip`)));
  const report = (form: 'html' | 'json') =>
    make(form, async () => {
      const record = await engine.readRun(summary.id);
      const names = record.samples.flatMap(({ picture }) => (picture === null ? [] : [picture]));
      const pictures = form === 'html' && dataset !== null ? await pictureUrls(dataset, [...new Set(names)]) : new Map<string, string>();
      const parts = { record, device, pictures };
      const text = form === 'html' ? reportHtml(parts) : reportJson(parts);
      const type = form === 'html' ? 'text/html' : 'application/json';
      saveBlob(new Blob([text], { type }), exportName(summary.title, `report.${form}`));
    });
  const rows: { name: string; words: string; id: string; run: () => Promise<void>; there: boolean }[] = [
    {
      id: 'adapter',
      name: 'Adapter',
      words: 'PEFT’s format, a ZIP',
      run: () => download('adapter'),
      there: summary.request.run['lora'] !== undefined && summary.step > 0,
    },
    {
      id: 'model',
      name: 'Tuned model',
      words: 'a checkpoint of its own, a ZIP',
      run: () => download('model'),
      there: summary.state === 'finished',
    },
    {
      id: 'run',
      name: 'Run folder',
      words: 'continues with nvlm train --resume, or in another browser',
      run: () => download('run'),
      there: true,
    },
    {
      id: 'html',
      name: 'Report',
      words: 'one page: plots, figures, answers, run file',
      run: () => report('html'),
      there: true,
    },
    {
      id: 'json',
      name: 'Report, JSON',
      words: 'every step and answer, for other tools',
      run: () => report('json'),
      there: true,
    },
  ];
  return (
    <section aria-labelledby="downloads-title">
      <h3 id="downloads-title">Download</h3>
      <ul className={styles.downloads}>
        {rows
          .filter(({ there }) => there)
          .map(({ id, name, words, run }) => (
            <li key={id}>
              <Button size="small" icon="download" disabled={busy !== null} onClick={() => void run()}>
                {busy === id ? 'Packing…' : name}
              </Button>
              <span className={styles.muted}>{words}</span>
            </li>
          ))}
      </ul>
      {error && <Problem error={error} onDismiss={() => setError(null)} />}
    </section>
  );
}

function RenameDialog({ summary, onClose }: { summary: RunSummary; onClose(): void }) {
  const renameRun = useApp((state) => state.renameRun);
  const [title, setTitle] = useState(summary.title);
  return (
    <Dialog title="Rename the run" onClose={onClose}>
      <form
        className={styles.rename}
        onSubmit={(event) => {
          event.preventDefault();
          onClose();
          void renameRun(summary.id, title.trim());
        }}
      >
        <input aria-label="Name" type="text" maxLength={120} value={title} onChange={({ target }) => setTitle(target.value)} />
        <Button type="submit" variant="primary" disabled={title.trim() === ''}>
          Rename
        </Button>
      </form>
    </Dialog>
  );
}

function DeleteDialog({ summary, onClose }: { summary: RunSummary; onClose(): void }) {
  const deleteRun = useApp((state) => state.deleteRun);
  const showToast = useApp((state) => state.showToast);
  return (
    <Dialog title={`Delete “${summary.title}”?`} onClose={onClose}>
      <p>
        Its log, its answers, its checkpoint and what it has learnt are gone for good; {formatBytes(summary.bytes)} become free. The dataset
        stays.
      </p>
      <div className={styles.buttons}>
        <Button
          variant="danger"
          icon="trash"
          onClick={async () => {
            onClose();
            openStep('result', { run: null });
            await deleteRun(summary.id);
            showToast(`“${summary.title}” deleted.`);
          }}
        >
          Delete
        </Button>
        <Button onClick={onClose}>Keep</Button>
      </div>
    </Dialog>
  );
}
