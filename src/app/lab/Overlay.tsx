import { useId } from 'react';
import { PLOT, pointsOf, rangeOf, smooth, type Curve } from './curves.ts';
import styles from './Lab.module.css';

/** Loss curves over each other, smoothed; a legend of the colours, and a table that says the same. */
export function Overlay({ title, curves }: { title: string; curves: readonly Curve[] }) {
  const titleId = useId();
  const smoothed = curves.map((curve) => ({ ...curve, values: smooth(curve.values) }));
  const { low, high, steps } = rangeOf(smoothed);
  const legend = [...new Map(curves.map(({ label, colour }) => [label, colour]))];
  const y = (value: number) => PLOT.top + (1 - (value - low) / (high - low || 1)) * (PLOT.height - PLOT.top - PLOT.bottom);
  return (
    <figure className={styles.figure} aria-labelledby={titleId}>
      <figcaption>
        <strong id={titleId}>{title}</strong>
        <span className={styles.legend}>
          {legend.map(([label, colour]) => (
            <span key={label}>
              <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
                <circle cx="6" cy="6" r="5" fill={colour} />
              </svg>
              {label}
            </span>
          ))}
        </span>
      </figcaption>
      <svg
        className={styles.plot}
        viewBox={`0 0 ${PLOT.width} ${PLOT.height}`}
        role="img"
        aria-label={`${title}: ${curves.length} curves over ${steps} steps, from ${low.toPrecision(3)} to ${high.toPrecision(3)}; the table below has their ends.`}
      >
        {[low, (low + high) / 2, high].map((value) => (
          <g key={value}>
            <line className={styles.grid} x1={PLOT.left} x2={PLOT.width - PLOT.right} y1={y(value)} y2={y(value)} />
            <text x={PLOT.left - 6} y={y(value) + 4} textAnchor="end">
              {value.toPrecision(2)}
            </text>
          </g>
        ))}
        <text x={PLOT.left} y={PLOT.height - 6}>
          step 1
        </text>
        <text x={PLOT.width - PLOT.right} y={PLOT.height - 6} textAnchor="end">
          {steps}
        </text>
        {smoothed.map(({ colour, values }, i) => (
          <polyline key={i} points={pointsOf(values, steps, low, high)} fill="none" stroke={colour} strokeWidth="1.6" />
        ))}
      </svg>
      <details>
        <summary>As a table</summary>
        <table className={styles.table}>
          <thead>
            <tr>
              <th scope="col">Run</th>
              <th scope="col">Steps</th>
              <th scope="col">First loss</th>
              <th scope="col">Last loss, smoothed</th>
            </tr>
          </thead>
          <tbody>
            {smoothed.map(({ label, values }, i) => (
              <tr key={i}>
                <th scope="row">{label}</th>
                <td>{values.length}</td>
                <td>{values[0]?.toPrecision(3) ?? '–'}</td>
                <td>{values.at(-1)?.toPrecision(3) ?? '–'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </figure>
  );
}
