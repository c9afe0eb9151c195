import { useEffect } from 'react';
import type { DatasetSummary } from '../../datasets/types.ts';
import { formatCount, plural } from '../format.ts';
import { formatRoute, patchParams, useRoute } from '../router.ts';
import { isTraining } from '../state/finetune-slice.ts';
import { useApp, useAppStore } from '../state/hooks.ts';
import { openStep, STEPS, useFinetuneAddress, type Step } from './address.ts';
import { Button } from '../components/Button.tsx';
import { Notice } from '../components/Notice.tsx';
import { DataPanel } from './data/DataPanel.tsx';
import { useDatasets, useLasts } from './data/use-dataset.ts';
import styles from './FinetuneScreen.module.css';
import { ResultStep } from './result/ResultStep.tsx';
import { RunStep } from './run/RunStep.tsx';
import { useRunGuards } from './run/run-guards.ts';

const TITLES: Record<Step, string> = { data: 'Data', run: 'Run', result: 'Result' };

export default function FinetuneScreen() {
  const { step, dataset, run } = useFinetuneAddress();
  const refreshRuns = useApp((state) => state.refreshRuns);
  const model = useApp((state) => state.runForm.model);
  const { datasets, refresh } = useDatasets();
  const lasts = useLasts();
  useRunGuards(useAppStore());
  // The Data step changes them behind this list.
  useEffect(refresh, [refresh, step, dataset]);
  useEffect(() => void refreshRuns(), [refreshRuns]);
  return (
    <div className={styles.screen}>
      <header className={styles.head}>
        <h1>Fine-tune</h1>
        <p className={styles.lead}>
          Show a model a few dozen examples, and keep what it learns. Pictures, answers and weights stay in this browser.
        </p>
      </header>
      {lasts === false && (
        <Notice tone="warn" role="status">
          <p>
            This browser gives the page no storage, as some private windows do. Data can be looked at and edited here until the tab is
            closed, but it is not kept, and no run can be started with it.
          </p>
          <p>To train, open the page in an ordinary window and allow it to store data.</p>
        </Notice>
      )}
      <StepNav step={step} dataset={datasets?.find(({ id }) => id === dataset)} run={run} />
      {step === 'data' && (
        <>
          <DataPanel datasetId={dataset} onSelect={(id) => openStep('data', { dataset: id })} model={model} />
          {dataset !== null && (
            <div className={styles.next}>
              <Button variant="primary" icon="arrow" onClick={() => openStep('run', { run: null })}>
                Set up the run
              </Button>
            </div>
          )}
        </>
      )}
      {step === 'run' && <RunStep run={run} dataset={dataset} datasets={datasets} lasts={lasts !== false} onDataChange={refresh} />}
      {step === 'result' && <ResultStep run={run} />}
    </div>
  );
}

interface StepNavProps {
  step: Step;
  dataset: DatasetSummary | undefined;
  run: string | null;
}

function StepNav({ step, dataset, run }: StepNavProps) {
  const route = useRoute();
  const runs = useApp((state) => state.runs);
  const live = useApp((state) => state.liveRun);
  const training = useApp(isTraining);
  const named = runs?.find(({ id }) => id === run);
  const liveSteps = Number(live?.request.run['steps'] ?? 0);
  const words: Record<Step, string> = {
    data: dataset?.title ?? 'what it learns from',
    run: training
      ? `step ${formatCount(live?.history.steps.at(-1) ?? 0)} of ${formatCount(liveSteps)}`
      : named
        ? `${formatCount(named.step)} of ${formatCount(named.steps)} steps`
        : 'settings and course',
    result: runs && runs.length > 0 ? plural(runs.length, 'run') : 'try, compare, download',
  };
  return (
    <nav aria-label="Steps of fine-tuning">
      <ol className={styles.steps}>
        {STEPS.map((name, index) => (
          <li key={name}>
            <a
              href={formatRoute({ screen: 'finetune', params: patchParams(route.params, { step: name }) })}
              aria-current={name === step ? 'step' : undefined}
            >
              <span className={styles.number} aria-hidden="true">
                {index + 1}
              </span>
              <span>
                <strong>{TITLES[name]}</strong>
                <span className={styles.words}>{words[name]}</span>
              </span>
            </a>
          </li>
        ))}
      </ol>
    </nav>
  );
}
