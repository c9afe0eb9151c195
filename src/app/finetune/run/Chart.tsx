import { useEffect, useId, useRef } from 'react';
import './usable-language.ts';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import styles from './Chart.module.css';

export interface ChartSeries {
  label: string;
  values: (number | null)[];
  tone: 'main' | 'faint' | 'second' | 'third' | 'fourth';
  /** Measured now and then: dots, joined across the gaps. */
  sparse?: boolean;
}

interface ChartProps {
  title: string;
  x: number[];
  series: ChartSeries[];
  /** The course in a sentence, for those who do not see the drawing. */
  summary: string;
  format(value: number): string;
  logarithmic?: boolean;
  tall?: boolean;
}

/** Steps shown in the table beside a drawing. */
const TABLE_ROWS = 12;

/** A line chart over steps, on a canvas; its pointer is shared with the others, and a table says the same. */
export function Chart({ title, x, series, summary, format, logarithmic = false, tall = false }: ChartProps) {
  const figure = useRef<HTMLElement>(null);
  const place = useRef<HTMLDivElement>(null);
  const readout = useRef<HTMLSpanElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef({ series, format });
  const titleId = useId();
  const shape = series.map(({ label, sparse }) => `${label}${sparse ? '*' : ''}`).join('|');

  useEffect(() => {
    latest.current = { series, format };
  });

  useEffect(() => {
    const host = place.current!;
    const inkOf = (name: string) => () => getComputedStyle(figure.current!.querySelector(`[data-ink="${name}"]`) ?? host).color;
    const lineOf = ({ label, tone, sparse }: ChartSeries): uPlot.Series => ({
      label,
      stroke: inkOf(tone),
      width: tone === 'faint' ? 1 : 2,
      spanGaps: sparse === true,
      points: { show: sparse === true, size: 6, fill: inkOf(tone) },
    });
    const axis = {
      stroke: inkOf('axis'),
      grid: { stroke: inkOf('grid'), width: 1 },
      ticks: { show: false },
      font: '11px system-ui, sans-serif',
    };
    const chart = new uPlot(
      {
        width: Math.max(120, host.clientWidth),
        height: tall ? 260 : 130,
        legend: { show: false },
        cursor: { sync: { key: 'run' }, drag: { x: false, y: false }, points: { show: true } },
        scales: { x: { time: false }, y: { distr: logarithmic ? 3 : 1 } },
        axes: [
          {
            ...axis,
            size: 24,
            incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 50_000, 100_000],
          },
          {
            ...axis,
            size: 54,
            values: (_, values) => values.map((value) => (value === null ? '' : latest.current.format(value))),
          },
        ],
        series: [{}, ...latest.current.series.map(lineOf)],
        hooks: {
          setCursor: [
            ({ cursor, data }) => {
              if (!readout.current) return;
              const at = cursor.idx;
              readout.current.textContent = at === null || at === undefined ? '' : words(data, at, latest.current);
            },
          ],
        },
      },
      [[], ...latest.current.series.map(() => [])],
      host,
    );
    plot.current = chart;
    const redraw = () => chart.redraw(false);
    const size = new ResizeObserver(() => {
      if (host.clientWidth > 0) chart.setSize({ width: host.clientWidth, height: tall ? 260 : 130 });
    });
    size.observe(host);
    const theme = new MutationObserver(redraw);
    theme.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    const system = matchMedia('(prefers-color-scheme: dark)');
    system.addEventListener('change', redraw);
    return () => {
      size.disconnect();
      theme.disconnect();
      system.removeEventListener('change', redraw);
      chart.destroy();
      plot.current = null;
    };
  }, [shape, logarithmic, tall]);

  useEffect(() => {
    // A logarithm knows no zero.
    const column = (values: (number | null)[]) =>
      logarithmic ? values.map((value) => (value !== null && value > 0 ? value : null)) : values;
    plot.current?.setData([x, ...series.map(({ values }) => column(values))] as uPlot.AlignedData);
  }, [x, series, logarithmic, shape]);

  return (
    <figure ref={figure} className={styles.chart} aria-labelledby={titleId}>
      <figcaption className={styles.caption}>
        <strong id={titleId}>{title}</strong>
        <span className={styles.legend} data-single={series.length === 1 || undefined}>
          {series.map(({ label, tone }) => (
            <span key={label}>
              <span className={styles.swatch} data-ink={tone} aria-hidden="true" />
              {label}
            </span>
          ))}
        </span>
        <span ref={readout} className={styles.readout} aria-hidden="true" />
      </figcaption>
      <span data-ink="axis" className={styles.ink} />
      <span data-ink="grid" className={styles.ink} />
      <div ref={place} className={styles.place} role="img" aria-label={summary} data-tall={tall || undefined} />
      <details className={styles.table}>
        <summary>As a table</summary>
        <table>
          <thead>
            <tr>
              <th scope="col">Step</th>
              {series.map(({ label }) => (
                <th key={label} scope="col">
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {tableRows(x, series).map((i) => (
              <tr key={i}>
                <th scope="row">{x[i]}</th>
                {series.map(({ label, values }) => (
                  <td key={label}>{values[i] === null || values[i] === undefined ? '–' : format(values[i])}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </figure>
  );
}

function words(data: uPlot.AlignedData, at: number, { series, format }: Pick<ChartProps, 'series' | 'format'>): string {
  const step = data[0][at];
  const parts = series.flatMap(({ label }, i) => {
    const value = data[i + 1]?.[at];
    return value === null || value === undefined ? [] : [`${series.length > 1 ? `${label} ` : ''}${format(value)}`];
  });
  return step === undefined ? '' : `step ${step}: ${parts.join(', ')}`;
}

/** Steps at even distances; where something is measured now and then, those. */
function tableRows(x: number[], series: ChartSeries[]): number[] {
  const sparse = series.find((one) => one.sparse);
  const rows = x.map((_, i) => i).filter((i) => !sparse || sparse.values[i] !== null);
  const used = rows.length > 1 ? rows : x.map((_, i) => i);
  const stride = Math.max(1, Math.ceil(used.length / TABLE_ROWS));
  return used.filter((_, i) => (used.length - 1 - i) % stride === 0);
}
