import { useId } from 'react';
import type { LoadProgress, LoadStage } from '../../engine/api.ts';
import { formatBytes, formatDuration } from '../format.ts';
import { Button } from './Button.tsx';
import styles from './LoadMeter.module.css';

const STAGE_WORDS: Record<LoadStage, string> = {
  config: 'reading its configuration',
  weights: 'loading weights',
  compile: 'compiling for the device',
  ready: 'ready',
};

/** Bytes, rate, time left and a way out, for one model being loaded. */
export function LoadMeter({ name, progress, onCancel }: { name: string; progress: LoadProgress | null; onCancel(): void }) {
  const label = useId();
  const words = progress ? STAGE_WORDS[progress.stage] : 'starting the engine';
  const known = progress !== null && progress.totalBytes > 0;
  return (
    <div className={styles.meter}>
      <p className={styles.line}>
        <span id={label}>
          <strong>{name}</strong>: {words}
        </span>
        <span className={styles.numbers}>{known && numbers(progress)}</span>
      </p>
      <progress aria-labelledby={label} max={known ? progress.totalBytes : undefined} value={known ? progress.loadedBytes : undefined} />
      <Button size="small" variant="quiet" onClick={onCancel}>
        Cancel
      </Button>
    </div>
  );
}

function numbers({ loadedBytes, totalBytes, bytesPerSecond, etaSeconds, fromStorage }: LoadProgress): string {
  const parts = [`${formatBytes(loadedBytes)} of ${formatBytes(totalBytes)}`];
  if (bytesPerSecond > 0) parts.push(`${formatBytes(bytesPerSecond)}/s`);
  if (etaSeconds !== null && etaSeconds > 0) parts.push(`${formatDuration(etaSeconds * 1000)} left`);
  if (fromStorage) parts.push('from this browser’s storage');
  return parts.join(' · ');
}
