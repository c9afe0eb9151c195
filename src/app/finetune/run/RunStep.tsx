import { useEffect } from 'react';
import type { DatasetSummary } from '../../../datasets/types.ts';
import { Problem } from '../../components/Notice.tsx';
import { isTraining } from '../../state/finetune-slice.ts';
import { useApp } from '../../state/hooks.ts';
import { openStep } from '../address.ts';
import { SetupStep } from '../setup/SetupStep.tsx';
import { setParams } from '../../router.ts';
import { RunPanel } from './RunPanel.tsx';
import { useRunView } from './use-run-view.ts';

interface RunStepProps {
  run: string | null;
  dataset: string | null;
  /** null while they are being asked for. */
  datasets: DatasetSummary[] | null;
  /** Whether what is made here outlives the tab; a run needs that. */
  lasts: boolean;
  onDataChange(): void;
}

/** The run that the address names or that goes on; without one, what a run needs. */
export function RunStep({ run, dataset, datasets, lasts, onDataChange }: RunStepProps) {
  const live = useApp((state) => state.liveRun);
  const training = useApp(isTraining);
  const view = useRunView(run ?? (training ? (live?.summary?.id ?? null) : null));
  const error = useApp((state) => state.runsError);
  const liveId = training ? (live?.summary?.id ?? null) : null;
  useEffect(() => {
    if (run === null && liveId !== null) setParams({ run: liveId });
  }, [run, liveId]);
  if (run === null && !training) return <SetupStep dataset={dataset} datasets={datasets} lasts={lasts} onDataChange={onDataChange} />;
  const shown = run === null ? live : view;
  if (shown) return <RunPanel view={shown} onAnother={() => openStep('run', { run: null })} />;
  return error ? <Problem error={error} /> : <p role="status">Reading the run…</p>;
}
