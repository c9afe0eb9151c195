import { useRef, useState, type KeyboardEvent } from 'react';
import type { GridCandidate, GridChoice } from '../../tiling/types.ts';
import styles from './CandidateChart.module.css';
import { previewGrid } from './focus-store.ts';

/** Every grid in the order it is tried, as tall as its aspect is wrong; the line is the best so far. */
export function CandidateChart({ grid }: { grid: GridChoice }) {
  const chosen = grid.candidates.findIndex((candidate) => candidate.chosen);
  const [reached, setReached] = useState(chosen);
  const list = useRef<HTMLOListElement>(null);
  const [looked, setLooked] = useState<number | null>(null);
  const stop = Math.min(reached, grid.candidates.length - 1);
  const largest = Math.max(...grid.candidates.map((candidate) => candidate.difference), 1e-9);
  const best = bestSoFar(grid.candidates);
  const lookedAt = looked === null ? undefined : grid.candidates[looked];

  const look = (index: number | null) => {
    setLooked(index);
    const candidate = index === null ? undefined : grid.candidates[index];
    previewGrid(candidate ? { cols: candidate.cols, rows: candidate.rows } : null);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = Math.min(grid.candidates.length - 1, Math.max(0, stop + step));
    setReached(next);
    list.current?.querySelectorAll('button')[next]?.focus();
  };

  return (
    <section className={styles.card} aria-labelledby="tiles-candidates">
      <header className={styles.header}>
        <h2 id="tiles-candidates">Which grid fits</h2>
        <p className={styles.aspect}>
          aspect <strong>{round(grid.aspect)}</strong>
        </p>
      </header>
      <ol ref={list} className={styles.chart} onKeyDown={onKeyDown} onPointerLeave={() => look(null)}>
        {grid.candidates.map((candidate, index) => (
          <li key={`${candidate.cols}:${candidate.rows}`} className={styles.column} data-chosen={candidate.chosen || undefined}>
            <button
              type="button"
              tabIndex={index === stop ? 0 : -1}
              aria-label={describe(candidate)}
              onFocus={() => {
                setReached(index);
                look(index);
              }}
              onBlur={() => look(null)}
              onPointerEnter={() => look(index)}
            >
              <span className={styles.track}>
                <span className={styles.bar} style={{ height: `${height(candidate.difference, largest)}%` }} />
                <span className={styles.best} style={{ bottom: `${height(best[index] ?? 0, largest)}%` }} />
                {candidate.tie && <span className={styles.tie}>=</span>}
              </span>
              <Glyph cols={candidate.cols} rows={candidate.rows} />
            </button>
          </li>
        ))}
      </ol>
      <p className={styles.looked}>
        {lookedAt ? describe(lookedAt) : `Bars: |${round(grid.aspect)} − columns/rows|. The line is the best so far.`}
      </p>
      <p className={styles.reason} data-testid="grid-reason">
        {grid.reason}
      </p>
    </section>
  );
}

/** A little picture of the grid, in its own proportions. */
function Glyph({ cols, rows }: { cols: number; rows: number }) {
  const longest = Math.max(cols, rows);
  const unit = 12 / longest;
  const lines: string[] = [];
  for (let col = 1; col < cols; col++) lines.push(`M${col * unit} 0V${rows * unit}`);
  for (let row = 1; row < rows; row++) lines.push(`M0 ${row * unit}H${cols * unit}`);
  const x = (14 - cols * unit) / 2;
  const y = (14 - rows * unit) / 2;
  return (
    <svg viewBox="0 0 14 14" className={styles.glyph} aria-hidden="true">
      <g transform={`translate(${x} ${y})`}>
        <rect width={cols * unit} height={rows * unit} />
        <path d={lines.join('')} />
      </g>
    </svg>
  );
}

function describe({ cols, rows, difference, chosen, tie, tieWon }: GridCandidate): string {
  const parts = [`${cols} × ${rows}: ${round(cols / rows)}, off by ${round(difference)}`];
  if (tie) parts.push(tieWon ? 'tie, won by area' : 'tie, too little area to win');
  if (chosen) parts.push('chosen');
  return parts.join(', ');
}

function bestSoFar(candidates: GridCandidate[]): number[] {
  let best = Infinity;
  return candidates.map(({ difference }) => (best = Math.min(best, difference)));
}

/** Percent of the track; logarithmic, so that near misses can be told apart. */
function height(difference: number, largest: number): number {
  const steepness = 40;
  return 2 + (98 * Math.log1p(difference * steepness)) / Math.log1p(largest * steepness);
}

function round(value: number): string {
  return String(Number(value.toPrecision(value < 0.1 ? 2 : 4)));
}
