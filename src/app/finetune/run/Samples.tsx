import { useId, useState } from 'react';
import { isRight } from '../../../engine/measure/answer-scores.ts';
import { Button } from '../../components/Button.tsx';
import { plural } from '../../format.ts';
import { PairCard } from './PairCard.tsx';
import type { RunHistory } from './run-history.ts';
import { pairSamples } from './sample-pairs.ts';
import styles from './Samples.module.css';

/** So many are shown unless all are asked for. */
const FEW = 6;

/** Held-out questions, answered by the base model and by the tuned one, step by step. */
export function Samples({ history, dataset }: { history: RunHistory; version: number; dataset: string | null }) {
  const id = useId();
  const [chosen, setChosen] = useState<number | null>(null);
  const [all, setAll] = useState(false);
  const steps = history.sampleSteps().filter((step) => step > 0);
  const step = chosen !== null && steps.includes(chosen) ? chosen : (steps.at(-1) ?? null);
  const pairs = pairSamples(history.samples, step);
  if (pairs.length === 0) return null;
  const right = (which: 'base' | 'tuned') => pairs.filter((pair) => isRight(pair[which], pair.expected)).length;
  return (
    <section className={styles.samples} aria-labelledby={`${id}-title`}>
      <header className={styles.head}>
        <h2 id={`${id}-title`}>Answers to held-out questions</h2>
        <p className={styles.muted}>
          right: base {right('base')}
          {step !== null && `, tuned ${right('tuned')}`} of {plural(pairs.length, 'question')}
        </p>
      </header>
      {steps.length > 1 && step !== null && (
        <div className={styles.scrub}>
          <label htmlFor={id}>After step</label>
          <input
            id={id}
            type="range"
            min={0}
            max={steps.length - 1}
            value={steps.indexOf(step)}
            aria-valuetext={`step ${step}`}
            onChange={({ target }) => {
              const index = target.valueAsNumber;
              // At its end it follows the run.
              setChosen(index === steps.length - 1 ? null : steps[index]!);
            }}
          />
          <output htmlFor={id}>{step}</output>
        </div>
      )}
      <ul className={styles.list}>
        {(all ? pairs : pairs.slice(0, FEW)).map((pair) => (
          <PairCard key={pair.record} pair={pair} dataset={dataset} />
        ))}
      </ul>
      {pairs.length > FEW && (
        <Button size="small" variant="quiet" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? 'Show fewer' : `Show all ${pairs.length}`}
        </Button>
      )}
    </section>
  );
}
