import type { Experiment } from '../../engine/lab/lab-api.ts';
import { Button } from '../components/Button.tsx';
import { Segmented } from '../components/Segmented.tsx';
import { formatBytes, formatCount, formatDuration, plural } from '../format.ts';
import { isTraining } from '../state/finetune-slice.ts';
import { useApp } from '../state/hooks.ts';
import styles from './Lab.module.css';
import { openLabAt, useLabAddress } from './lab-address.ts';

const SCALE_WORDS: Record<string, string> = {
  'two-minutes': 'Two minutes',
  'ten-minutes': 'Ten minutes',
  minutes: 'Longer',
  hour: 'Hours',
  night: 'A night',
  real: 'Real shapes',
  'real-2-layers': 'Real shapes, two layers',
};

/** How large, what it will take, and the run itself. */
export function LabPlanCard({ experiment }: { experiment: Experiment }) {
  const { scale, seeds } = useLabAddress();
  const plan = useApp((state) => state.labPlan);
  const live = useApp((state) => state.labLive);
  const training = useApp(isTraining);
  const startLab = useApp((state) => state.startLab);
  const scales = Object.keys(experiment.scales);
  const chosenScale = scale ?? scales[0]!;
  const chosenSeeds = seeds ?? Math.min(experiment.scales[chosenScale]?.seeds ?? 1, experiment.seeds.length);
  const isBegun = plan !== null && plan.done > 0;
  const isDone = plan !== null && plan.done === plan.cells.length;
  return (
    <section className={styles.card} aria-labelledby="lab-plan">
      <h2 id="lab-plan">Plan</h2>
      <div className={styles.fields}>
        <div>
          <span className={styles.muted}>Scale</span>
          <Segmented
            legend="Scale"
            value={chosenScale}
            options={scales.map((name) => ({ value: name, label: SCALE_WORDS[name] ?? name }))}
            onChange={(next) => openLabAt({ scale: next, seeds: null })}
            disabled={live !== null}
          />
        </div>
        <div>
          <span className={styles.muted}>Seeds</span>
          <Segmented
            legend="Seeds"
            value={String(chosenSeeds)}
            options={experiment.seeds.map((_, i) => ({ value: String(i + 1), label: String(i + 1) }))}
            onChange={(next) => openLabAt({ seeds: Number(next) })}
            disabled={live !== null}
          />
        </div>
      </div>
      <p role="status">
        {plan === null
          ? 'Looking at what it will take…'
          : `${plural(plan.cells.length, 'run')}: ${experiment.levels.map(({ level }) => level).join(' · ')}, ${plural(chosenSeeds, 'seed')} each; ${plan.done} done. ` +
            `${formatCount(plan.samples)} samples, ${formatCount(plan.questions)} answers, about ${formatDuration(1000 * plan.seconds)} on ${plan.backend}, ${formatBytes(plan.bytes)} of memory.`}
      </p>
      {live === null ? (
        <div className={styles.buttons}>
          <Button
            variant="primary"
            disabled={plan === null || isDone || training}
            onClick={() => void startLab(experiment.name, { scale: chosenScale, seeds: chosenSeeds })}
          >
            {isDone ? 'All runs are done' : isBegun ? 'Go on' : 'Run it here'}
          </Button>
          {training && <span className={styles.muted}>A fine-tuning run has the device: pause it first.</span>}
        </div>
      ) : (
        <LabProgress />
      )}
    </section>
  );
}

function LabProgress() {
  const live = useApp((state) => state.labLive)!;
  const pauseLab = useApp((state) => state.pauseLab);
  const losses = useApp((state) => state.labLosses);
  const inCell = live.total > 0 ? `${live.done} of ${live.total}` : live.done > 0 ? `step ${live.done}` : '';
  return (
    <div className={styles.progress}>
      <label>
        <span>
          {live.experiment}: run {Math.min(live.doneCells + 1, live.cells)} of {live.cells}
          {live.cell ? `, ${live.cell.level}, seed ${live.cell.seed}` : ''}
        </span>
        <progress aria-label="Runs done" value={live.doneCells} max={Math.max(1, live.cells)} />
      </label>
      <p className={styles.muted}>
        {live.stage} {inCell}
        {losses.length > 0 ? `, loss ${losses.at(-1)!.toPrecision(3)}` : ''}
      </p>
      <Button icon="pause" disabled={live.pausing} onClick={pauseLab}>
        {live.pausing ? 'Saving a checkpoint…' : 'Pause'}
      </Button>
      <p className={styles.muted}>It goes on from its last checkpoint after a pause, and after this page was closed.</p>
    </div>
  );
}
