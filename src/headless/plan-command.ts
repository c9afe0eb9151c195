import type { Command } from 'commander';
import type { MemoryPlan, PlanSettings } from '../engine/api.ts';
import { required, withCommonOptions, wholeNumber, type CommonOptions, type Context, type Run } from './command.ts';
import { formatBytes, formatTable } from './format.ts';
import { MODEL_HELP, modelSource } from './model-source.ts';
import { nodeEnginePlatform } from './node-platform.ts';
import { quantizationOf, withQuantizeOptions, type QuantizeOptions } from './quantize-option.ts';

interface PlanOptions extends CommonOptions, QuantizeOptions {
  model?: string;
  context?: number;
}

export function addPlan(program: Command, run: Run): void {
  withCommonOptions(
    withQuantizeOptions(
      program
        .command('plan')
        .description('What a model will need in memory here, from its headers, before a byte of its weights is read.')
        .option('--model <model>', `required: ${MODEL_HELP}`)
        .option('--context <tokens>', "length of the conversation (default: 4096, or the model's own maximum)", wholeNumber(1)),
    ),
  ).action((options: PlanOptions) => run(options, (context) => plan(options, context)));
}

async function plan(options: PlanOptions, { backend, threads, signal, caution }: Context) {
  const model = required(options.model, '--model');
  const source = await modelSource(model);
  const { createEngine } = await import('../engine/engine.ts');
  const engine = createEngine(nodeEnginePlatform(undefined, { threads }));
  await engine.openDevice(backend);
  const { warnings, ...result } = await engine.plan(source, {
    contextLength: options.context,
    quantize: quantizationOf(options),
    signal,
  });
  caution(warnings);
  return { document: { model, ...result }, text: describe(model, result), failed: result.verdict !== 'fits' };
}

const VERDICTS: Record<MemoryPlan['verdict'], string> = {
  fits: 'fits',
  'fits-if': 'does not fit like this',
  'does-not-fit': 'does not fit',
};

function describe(model: string, { backend, settings, bytes, download, verdict, problems, ...rest }: Omit<MemoryPlan, 'warnings'>): string {
  const rows = [
    ['weights', formatBytes(bytes.weights)],
    [`KV cache of ${settings.contextLength} tokens`, formatBytes(bytes.kvCache)],
    ['activations, about', formatBytes(bytes.activations)],
    ['in all', formatBytes(bytes.total)],
    ['weight files', formatBytes(download)],
  ];
  const fitting = rest.settingsThatFit;
  return [
    `${model} on ${backend} ${VERDICTS[verdict]}.`,
    formatTable(rows),
    ...problems,
    ...(fitting ? [`It would fit with ${settingsWords(fitting)}.`] : []),
  ].join('\n');
}

function settingsWords({ contextLength, quantize }: PlanSettings): string {
  const context = `--context ${contextLength}`;
  return quantize ? `--quantize ${quantize.bits} --group-size ${quantize.groupSize} ${context}` : context;
}
