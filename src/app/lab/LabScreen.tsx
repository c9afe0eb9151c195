import { useEffect } from 'react';
import { Problem } from '../components/Notice.tsx';
import { Segmented } from '../components/Segmented.tsx';
import { useApp } from '../state/hooks.ts';
import { ExperimentCard } from './ExperimentCard.tsx';
import { LabAnswers } from './LabAnswers.tsx';
import { LabCurves } from './LabCurves.tsx';
import { LabPlanCard } from './LabPlanCard.tsx';
import { LabResult } from './LabResult.tsx';
import styles from './Lab.module.css';
import { openLabAt, useLabAddress } from './lab-address.ts';
import { RunsTable } from './RunsTable.tsx';

export default function LabScreen() {
  const { view } = useLabAddress();
  return (
    <div className={styles.screen}>
      <header className={styles.head}>
        <h1>Lab</h1>
        <p className={styles.lead}>
          The questions that the NVLM paper leaves open, answered at nano scale: runs that differ in one thing, over several seeds, in this
          tab. The same files run with <code>nvlm lab run</code>, on a cluster too.
        </p>
      </header>
      <Segmented
        legend="What to see"
        value={view}
        options={[
          { value: 'experiments', label: 'Experiments' },
          { value: 'runs', label: 'All runs' },
        ]}
        onChange={(next) => openLabAt({ view: next })}
      />
      {view === 'runs' ? <RunsTable /> : <Experiments />}
    </div>
  );
}

function Experiments() {
  const { experiment: name, scale, seeds } = useLabAddress();
  const experiments = useApp((state) => state.labExperiments);
  const error = useApp((state) => state.labError);
  const openLab = useApp((state) => state.openLab);
  const view = useApp((state) => state.labView);
  const chosen = experiments?.find((one) => one.name === name) ?? null;
  useEffect(() => void openLab(name, { scale, seeds }), [openLab, name, scale, seeds]);
  return (
    <>
      <fieldset className={styles.choices}>
        <legend>Experiment</legend>
        {experiments === null && <p role="status">Reading the experiments…</p>}
        {experiments?.map((one) => (
          <ExperimentCard key={one.name} experiment={one} chosen={one.name === name} />
        ))}
      </fieldset>
      {error && <Problem error={error} />}
      {chosen && <LabPlanCard experiment={chosen} />}
      {chosen && view && view.results.length > 0 && (
        <>
          <LabResult experiment={chosen} view={view} />
          <LabCurves experiment={chosen} view={view} />
          <LabAnswers experiment={chosen} view={view} />
        </>
      )}
    </>
  );
}
