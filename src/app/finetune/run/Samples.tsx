import { useId, useState } from 'react';
import { plural } from '../../format.ts';
import { SamplePicture } from './SamplePicture.tsx';
import type { RunHistory } from './run-history.ts';
import { isRight, pairSamples } from './sample-pairs.ts';
import styles from './Samples.module.css';

/** Held-out questions, answered by the base model and by the tuned one, step by step. */
export function Samples({ history, dataset }: { history: RunHistory; version: number; dataset: string | null }) {
  const id = useId();
  const [chosen, setChosen] = useState<number | null>(null);
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
        {pairs.map((pair) => (
          <li key={pair.record} className={styles.pair}>
            <SamplePicture dataset={dataset} name={pair.picture} />
            <dl>
              <div>
                <dt>Question</dt>
                <dd>{pair.question}</dd>
              </div>
              <div>
                <dt>Expected</dt>
                <dd>{pair.expected}</dd>
              </div>
              <Answer who="Base" text={pair.base} expected={pair.expected} />
              <Answer who="Tuned" text={pair.tuned} expected={pair.expected} />
            </dl>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Answer({ who, text, expected }: { who: string; text: string | null; expected: string }) {
  if (text === null) return null;
  const right = isRight(text, expected);
  return (
    <div data-right={right}>
      <dt>{who}</dt>
      <dd>
        {text || '(nothing)'} <span className={styles.mark}>{right ? '✓ right' : '✗ not as expected'}</span>
      </dd>
    </div>
  );
}
