import styles from './Meter.module.css';

interface MeterProps {
  /** Of the whole length, 0 … 1. */
  share: number;
  /** For screen readers; without it, a number stands beside the bar. */
  label?: string;
}

/** A number as a bar. Its colour is `--meter`, the accent without. */
export function Meter({ share, label }: MeterProps) {
  const about = label === undefined ? ({ 'aria-hidden': true } as const) : ({ role: 'img', 'aria-label': label } as const);
  return (
    <span className={styles.meter} {...about}>
      <span style={{ width: `${100 * Math.min(1, Math.max(0, share))}%` }} />
    </span>
  );
}
