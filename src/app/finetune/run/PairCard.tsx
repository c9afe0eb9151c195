import { isRight } from '../../../engine/measure/answer-scores.ts';
import { SamplePicture } from './SamplePicture.tsx';
import type { SamplePair } from './sample-pairs.ts';
import styles from './Samples.module.css';

/** A picture, what was asked about it, and what was answered; an item of a list. */
export function PairCard({ pair, dataset }: { pair: SamplePair; dataset: string | null }) {
  return (
    <li className={styles.pair}>
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
