import type { ReportFile } from './report-files.ts';
import type { CellResult } from './run-cell.ts';
import type { LabAnswer } from './score.ts';

/** As lm-evaluation-harness names its figures: metric and filter. */
const METRIC = 'exact_match,none';
const ERROR = 'exact_match_stderr,none';

/**
 * Each cell in the form of lm-evaluation-harness: `results_*.json` with a task's accuracy and standard error, and a
 * `samples_*.jsonl` a task. Names hold no time, so that the same cells give the same files.
 */
export function harnessFiles(results: readonly CellResult[]): ReportFile[] {
  return results.filter(({ answers }) => answers.length > 0).flatMap(filesOf);
}

function filesOf({ experiment, scale, level, seed, backend, answers }: CellResult): ReportFile[] {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_');
  const name = `${plain(level)}_seed${seed}`;
  const tasks = new Map<string, LabAnswer[]>();
  for (const answer of answers) tasks.set(plain(answer.task), [...(tasks.get(plain(answer.task)) ?? []), answer]);
  const each = <T>(make: (answers: LabAnswer[], task: string) => T) =>
    Object.fromEntries([...tasks].map(([task, some]) => [task, make(some, task)]));
  const document = {
    results: each((some, task) => ({ alias: task, [METRIC]: accuracyOf(some), [ERROR]: errorOf(some) })),
    group_subtasks: each(() => []),
    configs: each((_, task) => ({
      task,
      output_type: 'generate_until',
      metric_list: [{ metric: 'exact_match', aggregation: 'mean', higher_is_better: true }],
    })),
    versions: each(() => 1),
    'n-shot': each(() => 0),
    higher_is_better: each(() => ({ exact_match: true })),
    'n-samples': each((some) => ({ original: some.length, effective: some.length })),
    config: {
      model: 'nvlm',
      model_args: `experiment=${experiment},level=${level},scale=${scale}`,
      device: backend,
      random_seed: seed,
      gen_kwargs: 'do_sample=False',
    },
    model_name: `${experiment}, ${level}, seed ${seed}`,
  };
  const samples = [...tasks].map(([task, some]) => ({
    path: `lm-eval/${name}/samples_${task}.jsonl`,
    text: some.map((answer, i) => `${JSON.stringify(sampleOf(answer, i))}\n`).join(''),
  }));
  return [{ path: `lm-eval/${name}/results_${name}.json`, text: `${JSON.stringify(document, null, 2)}\n` }, ...samples];
}

function sampleOf({ id, task, tiles, question, expected, answer, correct }: LabAnswer, index: number) {
  return {
    doc_id: index,
    doc: { id, task, tiles, question, answer: expected },
    target: expected,
    arguments: { gen_args_0: { arg_0: question, arg_1: { do_sample: false } } },
    resps: [[answer]],
    filtered_resps: [answer],
    filter: 'none',
    metrics: ['exact_match'],
    exact_match: Number(correct),
  };
}

function accuracyOf(answers: readonly LabAnswer[]): number {
  return answers.filter(({ correct }) => correct).length / answers.length;
}

/** Of a mean of zeros and ones, with the sample's own spread, as the harness has it; 0 of one question. */
function errorOf(answers: readonly LabAnswer[]): number {
  const [n, p] = [answers.length, accuracyOf(answers)];
  return n > 1 ? Math.sqrt((p * (1 - p)) / (n - 1)) : 0;
}
