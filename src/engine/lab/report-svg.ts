import type { Experiment } from './experiment.ts';
import { figureWords, type LabReport, type LabSummary } from './report.ts';
import { short } from './short.ts';

/** Told apart by those who see no colour difference too (Okabe and Ito). */
const LEVEL_COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#4d4d4d', '#8a7f00'];

const WIDTH = 720;
const LEFT = 190;
const ROW = 22;
const TITLE = 30;
const AXIS = 26;
const GAP = 14;
/** The line of a device, and so many letters have room in it. */
const DEVICE = 16;
const MOST_LETTERS = 110;
/** Panels beyond would be looked at by nobody. */
const MOST_PANELS = 8;
const FONT = 'font-family="system-ui, sans-serif"';

/** A panel a metric: a row a level with its mean, its interval and the seeds as dots. Colours are in attributes: it is shown where styles are not. */
export function reportSvg(experiment: Experiment, report: LabReport): string {
  const metrics = panelsOf(experiment, report);
  const levels = experiment.levels.map(({ level }) => level);
  const panel = TITLE + levels.length * ROW + AXIS + GAP;
  const top = 40 + report.devices.length * DEVICE;
  const height = top + metrics.length * panel;
  const body = metrics.map((metric, i) => panelSvg(report, levels, metric, top + i * panel)).join('\n');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" ${FONT}>`,
    `<title>${escape(report.question)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<text x="16" y="24" font-size="14" fill="#1a1a1a">${escape(`${report.experiment}: ${figureWords(report)}, by ${report.factor}`)}</text>`,
    // A GPU adapter's name is as long as its driver likes.
    ...report.devices.map((name, i) => {
      const words = name.length > MOST_LETTERS ? `${name.slice(0, MOST_LETTERS - 1)}…` : name;
      return `<text x="16" y="${24 + (i + 1) * DEVICE}" font-size="11" fill="#595959">${escape(words)}</text>`;
    }),
    body,
    '</svg>\n',
  ].join('\n');
}

function panelsOf(experiment: Experiment, { summary }: LabReport): string[] {
  const all = [...new Set(summary.map(({ metric }) => metric))];
  if (experiment.kind === 'training')
    return experiment.measure
      .map(({ metric }) => metric)
      .filter((metric) => all.includes(metric))
      .slice(0, MOST_PANELS);
  const counted = experiment.tiles.filter((count) => all.some((metric) => metric.endsWith(`, ${count} tiles`)));
  const tiles = counted.includes(6) ? 6 : Math.max(...counted);
  const wanted = [
    'vision, ms',
    'samples/s in training',
    'training step, ms',
    'prefill, ms',
    'decode, ms a token',
    'memory in chat, bytes',
    'KV cache, bytes in f16',
  ];
  return wanted.map((metric) => `${metric}, ${tiles} tiles`).filter((metric) => all.includes(metric));
}

function panelSvg({ cells, summary }: LabReport, levels: readonly string[], metric: string, top: number): string {
  const rows = levels.map((level) => summary.find((one) => one.level === level && one.metric === metric));
  const values = rows.flatMap((row) => (row ? [row.mean, row.low ?? row.mean, row.high ?? row.mean] : []));
  const dots = cells.flatMap(({ metrics }) => metrics[metric] ?? []);
  // Of times and bytes as of shares the distance from nothing tells how much they differ; an interval may reach below.
  const low = Math.min(0, ...values, ...dots);
  const isShare = dots.every((value) => value >= 0 && value <= 1);
  const high = Math.max(isShare ? 1 : -Infinity, ...values, ...dots);
  const span = high - low || 1;
  const x = (value: number) => (LEFT + ((value - low) / span) * (WIDTH - LEFT - 90)).toFixed(1);
  const base = top + TITLE + levels.length * ROW;
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => low + part * span);
  return [
    `<text x="16" y="${top + 18}" font-size="13" font-weight="600" fill="#1a1a1a">${escape(metric)}</text>`,
    ...ticks.map(
      (tick) =>
        `<line x1="${x(tick)}" x2="${x(tick)}" y1="${top + TITLE}" y2="${base}" stroke="#e0e0e0"/>` +
        `<text x="${x(tick)}" y="${base + 15}" font-size="11" fill="#595959" text-anchor="middle">${short(tick)}</text>`,
    ),
    ...levels.map((level, i) =>
      rowSvg(
        level,
        rows[i],
        cells.filter((one) => one.level === level).flatMap(({ metrics }) => metrics[metric] ?? []),
        i,
        top + TITLE + i * ROW + ROW / 2,
        x,
      ),
    ),
  ].join('\n');
}

function rowSvg(
  level: string,
  row: LabSummary | undefined,
  seeds: readonly number[],
  index: number,
  y: number,
  x: (value: number) => string,
): string {
  const colour = LEVEL_COLOURS[index % LEVEL_COLOURS.length]!;
  const label = `<text x="${LEFT - 12}" y="${y + 4}" font-size="12" fill="#1a1a1a" text-anchor="end">${escape(level)}</text>`;
  if (!row) return `${label}<text x="${LEFT}" y="${y + 4}" font-size="11" fill="#595959">not run</text>`;
  const interval =
    row.low === null || row.high === null
      ? ''
      : `<line x1="${x(row.low)}" x2="${x(row.high)}" y1="${y}" y2="${y}" stroke="${colour}" stroke-width="3"/>`;
  return [
    label,
    interval,
    ...seeds.map((value) => `<circle cx="${x(value)}" cy="${y}" r="2.5" fill="none" stroke="${colour}"/>`),
    `<circle cx="${x(row.mean)}" cy="${y}" r="5" fill="${colour}"/>`,
    `<text x="${WIDTH - 82}" y="${y + 4}" font-size="11" fill="#1a1a1a">${short(row.mean)}</text>`,
  ].join('');
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
