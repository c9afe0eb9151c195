import { useMemo, useState } from 'react';
import { Segmented } from '../../components/Segmented.tsx';
import { formatBytes, formatCount } from '../../format.ts';
import { Chart, type ChartSeries } from './Chart.tsx';
import styles from './Charts.module.css';
import { decimate } from './decimate.ts';
import type { RunHistory } from './run-history.ts';

type Scale = 'linear' | 'log';

/** Twice as many points are drawn at most: about one a pixel. */
const STRETCHES = 500;
const GATE_TONES = ['main', 'second', 'third', 'fourth'] as const;

/** The course of a run. `version` tells that the history has grown. */
export function Charts({ history, version }: { history: RunHistory; version: number }) {
  const [scale, setScale] = useState<Scale>('linear');
  const drawn = useMemo(() => columnsOf(history, version), [history, version]);
  if (history.length === 0) return null;
  const { x, loss, smooth, heldOut } = drawn;
  const best = history.bestHeldOut();
  const lossSeries: ChartSeries[] = [
    { label: 'train', values: loss, tone: 'faint' },
    { label: 'train, smoothed', values: smooth, tone: 'main' },
  ];
  if (best) lossSeries.push({ label: 'held-out', values: heldOut, tone: 'second', sparse: true });
  return (
    <section className={styles.charts} aria-label="Course of the run">
      <div className={styles.wide}>
        <div className={styles.scale}>
          <Segmented<Scale>
            legend="Scale of the loss"
            value={scale}
            options={[
              { value: 'linear', label: 'Linear' },
              { value: 'log', label: 'Log' },
            ]}
            onChange={setScale}
          />
        </div>
        <Chart title="Loss" x={x} series={lossSeries} summary={lossWords(history)} format={number} logarithmic={scale === 'log'} tall />
      </div>
      <Chart {...one('Learning rate', x, drawn.learningRate, number)} />
      <Chart {...one('Gradient norm', x, drawn.gradNorm, number)} />
      {drawn.gates.length > 0 && (
        <Chart
          title="Gates, tanh(g)"
          x={x}
          series={drawn.gates.map((values, i) => ({
            label: `layer ${i + 1}`,
            values,
            tone: GATE_TONES[i % GATE_TONES.length]!,
          }))}
          summary={`How far each gated cross-attention layer is open; the last values: ${drawn.gates
            .map((values) => number(values.at(-1) ?? 0))
            .join(', ')}.`}
          format={number}
        />
      )}
      <Chart {...one('Tokens a second', x, drawn.tokensPerSecond, (value) => formatCount(Math.round(value)))} />
      {drawn.memory.some((value) => value !== null) && <Chart {...one('Memory on the device', x, drawn.memory, formatBytes)} />}
    </section>
  );
}

function one(title: string, x: number[], values: (number | null)[], format: (value: number) => string) {
  const known = values.filter((value) => value !== null);
  const most = known.reduce((a, b) => Math.max(a, b), -Infinity);
  const summary =
    known.length > 0 ? `${title}: ${format(known[0]!)} at first, ${format(known.at(-1)!)} at last, at most ${format(most)}.` : title;
  const series: ChartSeries[] = [{ label: title.toLowerCase(), values, tone: 'main' }];
  return { title, x, series, summary, format };
}

export function lossWords(history: RunHistory): string {
  const best = history.bestHeldOut();
  const last = history.length - 1;
  const first = `Loss ${number(history.loss[0]!)} at step ${history.steps[0]!}`;
  const course = `${first}, ${number(history.smooth[last]!)} smoothed at step ${history.steps[last]!}.`;
  return best ? `${course} Lowest held-out loss ${number(best.loss)} at step ${best.step}.` : course;
}

/** What is drawn of each column; `version` is what the history cannot say itself. */
function columnsOf(history: RunHistory, _version: number) {
  const measured = history.heldOut.flatMap((value, i) => (value === null ? [] : [i]));
  const chosen = decimate(history.loss, STRETCHES, measured);
  const pick = <T,>(column: readonly T[]): T[] => chosen.map((i) => column[i]!);
  return {
    x: pick(history.steps),
    loss: pick(history.loss),
    smooth: pick(history.smooth),
    heldOut: pick(history.heldOut),
    learningRate: pick(history.learningRate),
    gradNorm: pick(history.gradNorm),
    tokensPerSecond: pick(history.tokensPerSecond),
    memory: pick(history.memory),
    gates: history.gates.map(pick),
  };
}

function number(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  return size < 0.001 || size >= 1e5 ? value.toExponential(1) : String(Number(value.toPrecision(3)));
}
