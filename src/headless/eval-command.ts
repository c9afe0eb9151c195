import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { questionsOf } from '../datasets/questions.ts';
import { figuresOf, scoreAnswers, type QuestionFigures } from '../engine/measure/answer-scores.ts';
import { evaluate, shuffleImages, type EvalResult } from '../engine/measure/eval.ts';
import { NvlmError } from '../errors.ts';
import { labelTables } from './answer-text.ts';
import { withAdapterOption, type AdapterOptions } from './adapter-folder.ts';
import { required, withCommonOptions, wholeNumber, type CommonOptions, type Context, type Run } from './command.ts';
import { DATA_HELP, readLocalData, warnOfProblems, warnOfNotes, withDataOptions, type DataOptions } from './data-reader.ts';
import { formatPercent, formatTable } from './format.ts';
import { MODEL_HELP } from './model-source.ts';
import { deviceName, openEngine } from './open-engine.ts';
import { quantizationOf, withQuantizeOptions, type QuantizeOptions } from './quantize-option.ts';

interface EvalOptions extends CommonOptions, QuantizeOptions, AdapterOptions, DataOptions {
  model?: string;
  data?: string;
  limit?: number;
  shuffleImages?: boolean;
  answers?: string;
}

export function addEval(program: Command, run: Run): void {
  const command = withCommonOptions(
    program
      .command('eval')
      .description(
        'Exact match of whole greedy answers, by task. "chance" is what always giving the most frequent answer scores. ' +
          'Where the answers of a question are labels: which was taken for which.',
      )
      .option('--model <model>', `required: ${MODEL_HELP}`)
      .option('--data <folder>', `required: ${DATA_HELP}`)
      .option('--limit <n>', 'ask the first n questions only', wholeNumber(1))
      .option('--shuffle-images', 'ask the picture questions alone, each about another picture: what a model scores without seeing')
      .option('--answers <file>', 'write every answer to this file as JSONL'),
  );
  withDataOptions(withQuantizeOptions(withAdapterOption(command))).action((options: EvalOptions) =>
    run(options, (context) => evalModel(options, context)),
  );
}

async function evalModel(options: EvalOptions, context: Context) {
  const { limit, shuffleImages: shuffled, answers } = options;
  const model = required(options.model, '--model');
  const path = required(options.data, '--data');
  const data = await readLocalData(path, options, context);
  const problems = data.report.problems.map(({ where, reason }) => ({ id: where, reason }));
  const questions = data.records.flatMap(questionsOf);
  if (questions.length === 0) {
    warnOfProblems(problems, context);
    throw new NvlmError('bad-data', `${path} holds no question that can be asked.`, `Look at it with: nvlm data check ${path}`);
  }
  const asked = (shuffled ? shuffleImages(questions) : questions).slice(0, limit);
  const { engine, device } = await openEngine(model, context, {
    quantize: quantizationOf(options),
    adapter: options.adapter,
  });
  const result = await evaluate(asked, (request, options) => engine.chat(request, options), {
    signal: context.signal,
    readImage: data.readImage,
    onProgress: (done) => context.progress.update(`Asking ${model}`, done, asked.length, 'questions'),
  });
  warnOfProblems([...problems, ...result.problems], context);
  warnOfNotes(data.report, context);
  if (answers) await writeFile(answers, result.answers.map((answer) => `${JSON.stringify(answer)}\n`).join(''));
  const { tasks, accuracy } = result;
  const scores = scoreAnswers(result.answers).map(figuresOf);
  return {
    document: { tasks, accuracy, backend: device.backend, questions: scores },
    text: `${describe(result, scores)}\n${model} on ${deviceName(device)}`,
  };
}

function describe({ tasks, accuracy, answers }: EvalResult, scores: readonly QuestionFigures[]): string {
  const rows = Object.entries(tasks)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([task, { n, accuracy: share, chance }]) => [task, String(n), formatPercent(share), formatPercent(chance)]);
  const all = ['all', String(answers.length), formatPercent(accuracy), ''];
  return [formatTable([['task', 'n', 'accuracy', 'chance'], ...rows, all]), labelTables(scores)].filter(Boolean).join('\n');
}
