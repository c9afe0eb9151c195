import { useSyncExternalStore } from 'react';
import { Button } from '../../components/Button.tsx';
import { Notice, Problem } from '../../components/Notice.tsx';
import { formatCount, formatDuration, plural } from '../../format.ts';
import type { RunView } from '../../state/finetune-slice.ts';
import { useApp } from '../../state/hooks.ts';
import { openStep } from '../address.ts';
import { Charts } from './Charts.tsx';
import styles from './RunPanel.module.css';
import { ResumeButton } from './ResumeButton.tsx';
import { wakeLock } from './run-guards.ts';
import { Samples } from './Samples.tsx';
import { stageWords } from './stage-words.ts';
import { StepClock } from './StepClock.tsx';

/** One run: how far it is, its course, its answers, and what can be done with it. */
export function RunPanel({ view, onAnother }: { view: RunView; onAnother(): void }) {
  const { summary, history, version, activity, error, problems } = view;
  const going = activity !== 'none';
  const title = summary?.title ?? view.request.title;
  const steps = summary?.steps ?? Number(view.request.run['steps']);
  const step = going ? (history.steps.at(-1) ?? summary?.step ?? 0) : (summary?.step ?? 0);
  return (
    <div className={styles.panel}>
      <section className={styles.head} aria-labelledby="run-title">
        <div className={styles.line}>
          <h2 id="run-title">{title}</h2>
          <span className={styles.numbers}>
            step {formatCount(step)} of {formatCount(steps)}
            {going && view.etaSeconds !== null && ` · ${formatDuration(view.etaSeconds * 1000)} left`}
          </span>
        </div>
        <progress aria-label="Progress of the run" max={steps} value={step} />
        <p className={styles.state}>
          {stageWords(view)}
          {going && view.stage?.stage === 'train' && <StepClock since={view.movedAt} />}
        </p>
        <div className={styles.buttons}>
          <Actions view={view} onAnother={onAnother} />
        </div>
        {going && <WhatIfIGo view={view} />}
      </section>
      {error && <Failure view={view} />}
      {!error && !going && summary?.note && summary.state !== 'finished' && <Notice tone="warn">{summary.note}</Notice>}
      <Charts history={history} version={version} />
      <Samples history={history} version={version} dataset={datasetOf(view)} />
      {problems.length > 0 && (
        <details className={styles.problems}>
          <summary>{plural(problems.length, 'record is', 'records are')} left out</summary>
          <ul>
            {problems.slice(0, 200).map(({ id, reason }, i) => (
              <li key={`${id}-${i}`}>
                <strong>{id}</strong>: {reason}
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

function Actions({ view, onAnother }: { view: RunView; onAnother(): void }) {
  const pauseRun = useApp((state) => state.pauseRun);
  const { summary, activity } = view;
  const toResult = () => openStep('result', { run: summary!.id });
  if (activity !== 'none') {
    return (
      <Button icon="pause" disabled={activity === 'pausing' || summary === null} onClick={pauseRun}>
        {activity === 'pausing' ? 'Pausing…' : 'Pause'}
      </Button>
    );
  }
  if (!summary) return <Button onClick={onAnother}>Back to the settings</Button>;
  return (
    <>
      {summary.state === 'finished' ? (
        <Button variant="primary" icon="arrow" onClick={toResult}>
          To the result
        </Button>
      ) : (
        <>
          <ResumeButton summary={summary} words="Resume" primary />
          {summary.step > 0 && <Button onClick={toResult}>Stop here and use it</Button>}
        </>
      )}
      <Button variant="quiet" icon="plus" onClick={onAnother}>
        Another run
      </Button>
    </>
  );
}

/** What happens to the run when the visitor turns away. */
function WhatIfIGo({ view }: { view: RunView }) {
  const awake = useSyncExternalStore(wakeLock.subscribe, wakeLock.get);
  const every = Number(view.request.run['checkpoint_every'] ?? 100);
  return (
    <p className={styles.hint}>
      It goes on while this tab is in the background. A checkpoint is kept every {plural(every, 'step')}: closing the tab loses at most
      these.{' '}
      {awake === 'on'
        ? 'The screen stays on.'
        : awake === 'not-offered'
          ? 'This browser cannot keep the screen on: see that the machine does not sleep.'
          : ''}
    </p>
  );
}

function Failure({ view }: { view: RunView }) {
  const resumeRun = useApp((state) => state.resumeRun);
  const { summary, error } = view;
  const lower = error?.code === 'not-a-number' ? halved(view.request.run) : null;
  return (
    <Problem
      error={error!}
      actions={
        summary && lower ? (
          <Button size="small" icon="retry" onClick={() => void resumeRun(summary.id, { optimizer: lower.optimizer })}>
            Resume at half the learning rate, {lower.rate}
          </Button>
        ) : undefined
      }
    />
  );
}

function halved(run: Record<string, unknown>): { optimizer: Record<string, unknown>; rate: number } | null {
  const optimizer = run['optimizer'] as Record<string, unknown> | undefined;
  const rate = optimizer?.['lr'];
  if (typeof rate !== 'number') return null;
  const others = optimizer?.['adamw_lr'];
  const halves = { lr: rate / 2, ...(typeof others === 'number' && { adamw_lr: others / 2 }) };
  return { optimizer: { ...optimizer, ...halves }, rate: rate / 2 };
}

function datasetOf({ request }: RunView): string | null {
  const { data } = request.run;
  return typeof data === 'string' ? data : null;
}
