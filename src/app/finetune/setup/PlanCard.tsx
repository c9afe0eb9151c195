import { useEffect, useState } from 'react';
import type { RunRequest, TrainingPlan } from '../../../engine/runs/training-api.ts';
import { toPlainError, type PlainError } from '../../../errors.ts';
import { Button } from '../../components/Button.tsx';
import { Notice, Problem } from '../../components/Notice.tsx';
import { formatBytes, formatCount, formatParameters } from '../../format.ts';
import { useApp } from '../../state/hooks.ts';
import styles from './PlanCard.module.css';

/** After the last change of a setting, before the engine is asked. */
const ASK_AFTER_MS = 400;

const VERDICTS: Record<TrainingPlan['verdict'], string> = {
  fits: 'It fits.',
  'fits-if': 'It does not fit as it is set, but it can.',
  'does-not-fit': 'It does not fit on this device.',
};

interface PlanCardProps {
  /** null while a setting is wrong. */
  request: RunRequest | null;
  onChanges(changes: Record<string, unknown>): void;
  /** What the plan cannot know yet; null = nothing. */
  unknown: string | null;
}

/** What the run will need in memory, before a weight is read. */
export function PlanCard({ request, onChanges, unknown }: PlanCardProps) {
  const planTraining = useApp((state) => state.planTraining);
  const backend = useApp((state) => state.device?.backend);
  const [plan, setPlan] = useState<TrainingPlan | null>(null);
  const [error, setError] = useState<PlainError | null>(null);
  const [asking, setAsking] = useState(false);
  const key = request && JSON.stringify([request.model, request.run, request.heldOutEvery > 0, backend]);
  useEffect(() => {
    if (key === null || request === null) return;
    const controller = new AbortController();
    const timer = setTimeout(() => {
      setAsking(true);
      planTraining(request, controller.signal)
        .then((made) => {
          setPlan(made);
          setError(null);
        })
        .catch((reason: unknown) => {
          const plain = toPlainError(reason);
          if (plain.code === 'cancelled') return;
          setError(plain);
          setPlan(null);
        })
        .finally(() => setAsking(false));
    }, ASK_AFTER_MS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
    // The key says all that a plan depends on; the request is another object at every change.
  }, [key, planTraining]);

  return (
    <section className={styles.card} aria-labelledby="plan-title" aria-busy={asking}>
      <h2 id="plan-title">Memory</h2>
      {error && <Problem error={error} />}
      {!error && !plan && <p className={styles.muted}>Measuring the data…</p>}
      {plan && !error && (
        <>
          <div className={styles.bar} role="img" aria-label={barWords(plan)}>
            {PARTS.map(({ name, key: part }) => (
              <span key={name} data-part={part} style={{ flexGrow: plan[part] / plan.total }} />
            ))}
          </div>
          <dl className={styles.parts}>
            {PARTS.map(({ name, key: part }) => (
              <div key={name} data-part={part}>
                <dt>{name}</dt>
                <dd>{formatBytes(plan[part])}</dd>
              </div>
            ))}
          </dl>
          <p>
            <strong data-tone={plan.verdict}>{VERDICTS[plan.verdict]}</strong> {formatBytes(plan.total)} at most;{' '}
            {formatParameters(plan.trainedParameters)} numbers train; the longest record has {formatCount(plan.longest)} tokens.
          </p>
          {[...plan.notes, ...(unknown === null ? [] : [unknown])].map((note) => (
            <p key={note} className={styles.muted}>
              {note}
            </p>
          ))}
          {plan.warnings.length > 0 && (
            <Notice tone="warn">
              {plan.warnings.map((warning) => (
                <p key={warning}>{warning}</p>
              ))}
            </Notice>
          )}
          {plan.problems.length > 0 && (
            <Notice
              tone="warn"
              actions={
                plan.changes && (
                  <Button size="small" onClick={() => onChanges(plan.changes!)}>
                    Use the setting that fits
                  </Button>
                )
              }
            >
              {plan.problems.map((problem) => (
                <p key={problem}>{problem}</p>
              ))}
            </Notice>
          )}
        </>
      )}
    </section>
  );
}

const PARTS = [
  { name: 'Weights', key: 'weights' },
  { name: 'Optimizer', key: 'optimizer' },
  { name: 'Activations', key: 'activations' },
] as const;

function barWords(plan: TrainingPlan): string {
  return PARTS.map(({ name, key }) => `${name}: ${formatBytes(plan[key])}`).join(', ');
}
