import type { Experiment } from '../../engine/lab/lab-api.ts';
import styles from './Lab.module.css';
import { openLabAt } from './lab-address.ts';

/** One experiment to choose: what it asks, and what the paper says of it. */
export function ExperimentCard({ experiment, chosen }: { experiment: Experiment; chosen: boolean }) {
  const { name, question, paper } = experiment;
  return (
    <label className={styles.choice}>
      <input
        type="radio"
        name="experiment"
        value={name}
        checked={chosen}
        onChange={() => openLabAt({ experiment: name, scale: null, seeds: null })}
      />
      <span>
        <strong>{question}</strong>
        <span className={styles.muted}>The paper: {paper}</span>
      </span>
    </label>
  );
}
