import { decimate } from '../run/decimate.ts';

export interface PlotLine {
  label: string;
  colour: string;
  values: readonly (number | null)[];
  /** Measured now and then: a dot each. */
  dots?: boolean;
}

const WIDTH = 640;
const HEIGHT = 220;
const LEFT = 56;
const BOTTOM = 24;
const TOP = 8;

/** A plot as SVG text, for a report that needs no script. All that comes from outside is escaped. */
export function svgPlot(title: string, x: readonly number[], lines: readonly PlotLine[]): string {
  const all = lines.flatMap(({ values }) => values.filter((value) => value !== null && Number.isFinite(value)) as number[]);
  if (x.length === 0 || all.length === 0) return '';
  const low = all.reduce((a, b) => Math.min(a, b));
  const high = all.reduce((a, b) => Math.max(a, b), low + 1e-12);
  const first = x[0]!;
  const last = Math.max(x.at(-1)!, first + 1);
  const px = (step: number) => round(LEFT + ((step - first) / (last - first)) * (WIDTH - LEFT - 8));
  const py = (value: number) => round(TOP + (1 - (value - low) / (high - low)) * (HEIGHT - TOP - BOTTOM));
  const ticks = [low, (low + high) / 2, high]
    .map((value) => {
      const y = py(value);
      const line = `<line x1="${LEFT}" x2="${WIDTH - 8}" y1="${y}" y2="${y}" class="grid"/>`;
      return `${line}<text x="${LEFT - 6}" y="${y + 4}" text-anchor="end">${Number(value.toPrecision(3))}</text>`;
    })
    .join('');
  const steps = [first, last]
    .map((step) => `<text x="${px(step)}" y="${HEIGHT - 6}" text-anchor="${step === first ? 'start' : 'end'}">${step}</text>`)
    .join('');
  const drawn = lines.map((line) => draw(line, x, px, py)).join('');
  const legend = lines.map(({ label, colour }) => `<tspan fill="${colour}">● </tspan><tspan>${escapeText(label)}  </tspan>`).join('');
  const name = escapeText(title);
  const key = `<text x="${WIDTH / 2}" y="${HEIGHT - 6}" text-anchor="middle">${legend}</text>`;
  const svg = `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${name}">`;
  return `<figure><figcaption>${name}</figcaption>${svg}${ticks}${steps}${drawn}${key}</svg></figure>`;
}

function draw(
  { values, colour, dots }: PlotLine,
  x: readonly number[],
  px: (step: number) => number,
  py: (value: number) => number,
): string {
  const known = values.flatMap((value, i) => (value !== null && Number.isFinite(value) ? [{ step: x[i]!, value }] : []));
  const kept = decimate(
    known.map(({ value }) => value),
    400,
  ).map((i) => known[i]!);
  const points = kept.map(({ step, value }) => `${px(step)},${py(value)}`);
  if (dots) {
    return points.map((point) => `<circle cx="${point.split(',')[0]}" cy="${point.split(',')[1]}" r="3" fill="${colour}"/>`).join('');
  }
  return `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="1.5"/>`;
}

/** Text as it may stand in HTML, between tags and inside quotes. */
export function escapeText(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (character) => names[character]!);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
