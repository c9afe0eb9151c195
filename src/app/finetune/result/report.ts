import type { DeviceInfo } from '../../../engine/api.ts';
import type { RunRecord } from '../../../engine/runs/training-api.ts';
import { formatCount, formatDuration } from '../../format.ts';
import { RunHistory } from '../run/run-history.ts';
import { pairSamples, type SamplePair } from '../run/sample-pairs.ts';
import { figuresOfPairs, OTHER, questionRows, shareWords, type QuestionRow, type Who } from './pair-scores.ts';
import { escapeText, svgPlot } from './svg-plot.ts';

export interface ReportParts {
  record: RunRecord;
  /** The device of this tab, on which the run or its last part was computed; null when none is open. */
  device: DeviceInfo | null;
  /** Pictures of the sample records as data URLs, by name. */
  pictures: ReadonlyMap<string, string>;
}

/** Everything about a run as one JSON document. */
export function reportJson({ record, device }: ReportParts): string {
  const { summary, log, samples } = record;
  const figures = figuresOf(record);
  const accuracy = figuresOfPairs(pairSamples(samples, null));
  const report = { format: 'nvlm-run-report', version: 1, summary, device, figures, accuracy, log, samples };
  return `${JSON.stringify(report, null, 2)}\n`;
}

/** The same as a page of its own: plots as SVG, no script, nothing from elsewhere. */
export function reportHtml({ record, device, pictures }: ReportParts): string {
  const { summary, log, samples } = record;
  const history = RunHistory.of(log, samples);
  const plots = [
    svgPlot('Loss', history.steps, [
      { label: 'train', colour: '#9bb5aa', values: history.loss },
      { label: 'train, smoothed', colour: '#0a6c51', values: history.smooth },
      ...(history.bestHeldOut() ? [{ label: 'held-out', colour: '#b3541e', values: history.heldOut, dots: true }] : []),
    ]),
    svgPlot('Learning rate', history.steps, [{ label: 'learning rate', colour: '#0a6c51', values: history.learningRate }]),
    svgPlot('Gradient norm', history.steps, [{ label: 'gradient norm', colour: '#0a6c51', values: history.gradNorm }]),
    svgPlot('Tokens a second', history.steps, [{ label: 'tokens/s', colour: '#0a6c51', values: history.tokensPerSecond }]),
    ...(history.gates.length > 0
      ? [
          svgPlot(
            'Gates, tanh(g)',
            history.steps,
            history.gates.map((values, i) => ({
              label: `layer ${i + 1}`,
              colour: GATE_COLOURS[i % GATE_COLOURS.length]!,
              values,
            })),
          ),
        ]
      : []),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(summary.title)}: run report</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escapeText(summary.title)}</h1>
<p>Fine-tuning run, ${escapeText(summary.state)}. Made ${when(summary.createdAt)} with NVLM Playground.</p>
<h2>Figures</h2>
<table>${figuresOf(record)
    .map(([name, value]) => `<tr><th>${escapeText(name)}</th><td>${escapeText(value)}</td></tr>`)
    .join('')}${deviceRow(device)}</table>
<h2>Course</h2>
${plots.join('\n')}
${accuracyHtml(pairSamples(samples, null))}
${samplesHtml(record, pictures)}
<h2>Run file</h2>
<pre>${escapeText(JSON.stringify(summary.request.run, null, 2))}</pre>
</body>
</html>
`;
}

/** To the minute. */
function when(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

const GATE_COLOURS = ['#0a6c51', '#b3541e', '#3d5a99', '#8a5a9e', '#7a6a00', '#a8231b'];

const STYLE = `:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:760px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-top:1px solid #8885;
font-weight:400;white-space:pre-wrap;overflow-wrap:anywhere}
th{color:light-dark(#555,#aaa)}figure{margin:1rem 0}
svg{width:100%;background:light-dark(#fafaf8,#1b1f1d);border-radius:6px}
svg text{font:11px system-ui,sans-serif;fill:light-dark(#555,#aaa)}.grid{stroke:#8884}
img{max-width:120px;image-rendering:pixelated}
pre{overflow:auto;padding:1rem;background:light-dark(#f2f2ee,#1b1f1d);border-radius:6px;font-size:13px}`;

function figuresOf({ summary, log }: RunRecord): [string, string][] {
  const history = RunHistory.of(log, []);
  const best = history.bestHeldOut();
  const ms = history.milliseconds.reduce((sum, one) => sum + one, 0);
  const rows: [string, string][] = [
    ['Model', String(summary.request.run['model'] ?? '')],
    ['Steps', `${formatCount(summary.step)} of ${formatCount(summary.steps)}`],
  ];
  if (history.length > 0) {
    rows.push(['Training loss, first and last (smoothed)', `${short(history.loss[0]!)} → ${short(history.smooth.at(-1)!)}`]);
    rows.push(['Time in steps', `${formatDuration(ms)}, ${formatDuration(ms / history.length)} a step`]);
  }
  if (best) rows.push(['Lowest held-out loss', `${short(best.loss)} at step ${formatCount(best.step)}`]);
  return rows;
}

function deviceRow(device: DeviceInfo | null): string {
  if (!device) return '';
  const { adapter } = device;
  const name = adapter
    ? `${device.backend}, ${[adapter.vendor, adapter.architecture, adapter.description].filter(Boolean).join(' ')}`
    : device.backend;
  return `<tr><th>Device</th><td>${escapeText(name)}</td></tr>`;
}

function accuracyHtml(pairs: readonly SamplePair[]): string {
  if (pairs.length === 0) return '';
  const rows = questionRows(pairs);
  const share = (name: string, base: QuestionRow['base'], tuned: QuestionRow['tuned']) =>
    `<tr><td>${escapeText(name)}</td><td>${shareWords(base)}</td><td>${shareWords(tuned)}</td></tr>`;
  const questions = rows.map(({ question, base, tuned }) => share(question, base, tuned));
  const tables = rows.flatMap((row) => (['base', 'tuned'] as const).map((who) => matrixHtml(row, who)));
  return `<h2>Right answers by question</h2>
<table><tr><th>Question</th><th>Base</th><th>Tuned</th></tr>${questions.join('\n')}</table>
${tables.join('')}`;
}

/** Rows expected, columns answered, each label's share of right ones at the end. */
function matrixHtml({ question, ...scores }: QuestionRow, who: Who): string {
  const score = scores[who];
  if (!score?.confusion) return '';
  const { labels, cells } = score.confusion;
  const head = [...labels, OTHER, 'right'].map((label) => `<th>${escapeText(label)}</th>`);
  const rows = cells.map((row, i) => {
    const counts = row.map(({ length }) => `<td>${length}</td>`);
    return `<tr><th>${escapeText(labels[i]!)}</th>${counts.join('')}<td>${shareWords(score.labels[i])}</td></tr>`;
  });
  return `<h3>${escapeText(question)} ${who === 'base' ? 'Base' : 'Tuned'}: expected (rows) and answered (columns)</h3>
<table><tr><td></td>${head.join('')}</tr>${rows.join('\n')}</table>
`;
}

function samplesHtml({ samples }: RunRecord, pictures: ReadonlyMap<string, string>): string {
  const pairs = pairSamples(samples, null);
  if (pairs.length === 0) return '';
  const rows = pairs.map(({ picture, question, expected, base, tuned }) => {
    const url = picture === null ? undefined : pictures.get(picture);
    // Nothing but a data URL of an image can become a source.
    const image = url?.startsWith('data:image/') ? `<img src="${escapeText(url)}" alt="">` : '';
    const cells = [question, expected, base ?? '—', tuned ?? '—'].map((text) => `<td>${escapeText(text)}</td>`);
    return `<tr><td>${image}</td>${cells.join('')}</tr>`;
  });
  return `<h2>Answers to held-out questions</h2>
<table><tr><th></th><th>Question</th><th>Expected</th><th>Base</th><th>Tuned</th></tr>${rows.join('\n')}</table>`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)));
}
