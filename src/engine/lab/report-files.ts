import type { Experiment } from './experiment.ts';
import { harnessFiles } from './harness-files.ts';
import { figureWords, type LabReport } from './report.ts';
import { reportSvg } from './report-svg.ts';
import { short } from './short.ts';
import type { CellResult } from './run-cell.ts';

export interface ReportFile {
  path: string;
  text: string;
}

/** A report as files: JSON, CSV, Markdown and a picture, and each cell as lm-evaluation-harness writes it. */
export function reportFiles(experiment: Experiment, report: LabReport, results: readonly CellResult[]): ReportFile[] {
  const { experiment: name } = report;
  return [
    { path: `${name}.json`, text: `${JSON.stringify(report, null, 1)}\n` },
    { path: `${name}.csv`, text: reportCsv(report) },
    { path: `${name}.svg`, text: reportSvg(experiment, report) },
    { path: `${name}.md`, text: reportMarkdown(report, `${name}.svg`) },
    ...harnessFiles(results),
  ];
}

export function reportCsv({ summary, differences }: LabReport): string {
  const difference = new Map(differences.map((one) => [`${one.level}\n${one.metric}`, one]));
  const rows = summary.map(({ level, metric, mean, low, high, seeds, questions }) => {
    const less = difference.get(`${level}\n${metric}`);
    return [level, metric, seeds, mean, low, high, questions?.count, questions?.low, questions?.high, less?.mean, less?.low, less?.high];
  });
  const head = [
    'level',
    'metric',
    'seeds',
    'mean',
    'low',
    'high',
    'questions',
    'questions low',
    'questions high',
    'difference',
    'difference low',
    'difference high',
  ];
  return [head, ...rows].map((row) => row.map(cell).join(',')).join('\r\n') + '\r\n';
}

function cell(value: string | number | null | undefined): string {
  const text = String(value ?? '');
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** @param picture path of the report's picture; null leaves it out */
export function reportMarkdown(report: LabReport, picture: string | null): string {
  const { experiment, question, paper, factor, reference, scale, devices, cells, missing, summary, differences } = report;
  const levels = [...new Set(summary.map(({ level }) => level))];
  const metrics = [...new Set(summary.map(({ metric }) => metric))];
  const of = (level: string, metric: string) => summary.find((one) => one.level === level && one.metric === metric);
  const against = (level: string, metric: string) => differences.find((one) => one.level === level && one.metric === metric);
  const table = (head: readonly string[], rows: readonly string[][]) =>
    [`| ${head.join(' | ')} |`, `|${head.map(() => '---').join('|')}|`, ...rows.map((row) => `| ${row.join(' | ')} |`)].join('\n');
  const parts = [
    `# ${experiment}`,
    question,
    `The paper: ${paper}`,
    `${cells.length} runs at the scale "${scale}", on ${devices.join(', ')}.${missing.length > 0 ? ` Not run: ${missing.map(({ level, seed }) => `${level}, seed ${seed}`).join('; ')}.` : ''}`,
    ...(picture ? [`![${question}](${picture})`] : []),
    `By ${factor}, ${figureWords(report)}:`,
    table(
      ['', ...levels],
      metrics.map((metric) => [metric, ...levels.map((level) => figure(of(level, metric)))]),
    ),
  ];
  if (differences.length > 0) {
    const others = levels.filter((level) => level !== reference);
    parts.push(
      `Difference to ${reference}, seed by seed:`,
      table(
        ['', ...others],
        metrics.map((metric) => [metric, ...others.map((level) => figure(against(level, metric)))]),
      ),
    );
  }
  const drawn = summary.filter(({ questions }) => questions !== null);
  if (drawn.length > 0) {
    parts.push(
      'Mean and 95 % interval when other questions of the kind are drawn (bootstrap), the seeds as they are:',
      table(
        ['', ...levels],
        metrics
          .filter((metric) => drawn.some((one) => one.metric === metric))
          .map((metric) => [metric, ...levels.map((level) => figure(withQuestions(of(level, metric))))]),
      ),
    );
  }
  const throughput = report.growth.filter(({ metric }) => metric === 'samples/s in training');
  if (throughput.length > 0) {
    const tiles = throughput[0]!.ratios.map((one) => one.tiles);
    parts.push(
      `Samples a second in training, of ${reference}'s, by tiles:`,
      table(
        ['', ...tiles.map(String)],
        throughput.map(({ level, ratios }) => [level, ...ratios.map(({ ratio }) => ratio.toFixed(2))]),
      ),
      'Growth with every tile (least squares):',
      table(
        ['', ...levels],
        [...new Set(report.growth.map(({ metric }) => metric))].map((metric) => [
          metric,
          ...levels.map((level) => {
            const fit = report.growth.find((one) => one.level === level && one.metric === metric);
            return fit ? `${short(fit.atNone)} + ${short(fit.perTile)} a tile` : '';
          }),
        ]),
      ),
    );
  }
  return `${parts.join('\n\n')}\n`;
}

function withQuestions(one: LabReport['summary'][number] | undefined) {
  return one?.questions ? { ...one, ...one.questions } : undefined;
}

function figure(one: { mean: number; low: number | null; high: number | null } | undefined): string {
  if (!one) return '';
  return one.low === null || one.high === null ? short(one.mean) : `${short(one.mean)} (${short(one.low)} … ${short(one.high)})`;
}
