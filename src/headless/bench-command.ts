import type { Command } from 'commander';
import { deskExamples } from '../desk/examples.ts';
import type { DeviceInfo } from '../engine/api.ts';
import type { ModelMeasurement } from '../engine/measure/measure.ts';
import { assertPrompt } from '../text/prompt-limits.ts';
import { decodeImage } from '../tiling/decode.ts';
import { MAX_TILES_ANYWHERE } from '../tiling/tile-limits.ts';
import type { RgbImage } from '../tiling/types.ts';
import { openModelFolder } from '../weights/model-folder.ts';
import { readAdapters, withAdapterOption, type AdapterOptions } from './adapter-folder.ts';
import { makeReports, type BenchmarkReport, type Measurement } from './bench-report.ts';
import { withCommonOptions, wholeNumber, type CommonOptions, type Context, type Run } from './command.ts';
import { formatTable } from './format.ts';
import { readImageFile } from './input-files.ts';
import { MODEL_HELP, modelSource } from './model-source.ts';
import { commandDevices, openFiles } from './node-platform.ts';
import { offloadOf, withOffloadOptions, type OffloadFlags } from './offload-option.ts';
import { deviceName, reportLoading, warnOfSoftwareAdapter } from './open-engine.ts';
import { quantizationOf, withQuantizeOptions, type QuantizeOptions } from './quantize-option.ts';

interface BenchOptions extends CommonOptions, QuantizeOptions, OffloadFlags, AdapterOptions {
  model: string;
  image?: string;
  prompt: string;
  newTokens: number;
  maxTiles?: number;
  runs: number;
  warmUps: number;
  counts: boolean;
}

const MOST_RUNS = 1000;
const MOST_NEW_TOKENS = 1 << 16;

export function addBench(program: Command, run: Run): void {
  const command = withCommonOptions(
    program
      .command('bench')
      .description('Measure a model on this device: loading, vision encoder, prefill, decoding and peak memory.')
      .option('--model <model>', MODEL_HELP, 'nano-d')
      .option('--image <file>', 'PNG, JPEG or WebP file (default: a drawn picture of 6 tiles; none for text models)')
      .option('--prompt <text>', 'what is asked', 'Describe the image.')
      .option('--new-tokens <n>', 'tokens to decode in each run', wholeNumber(1, MOST_NEW_TOKENS), 64)
      .option('--max-tiles <n>', "most regular tiles (default: the model's own)", wholeNumber(1, MAX_TILES_ANYWHERE))
      .option('--runs <n>', 'how many samples are taken', wholeNumber(1, MOST_RUNS), 5)
      .option('--warm-ups <n>', 'runs before those that count', wholeNumber(0, MOST_RUNS), 1)
      .option('--counts', 'count as well what a decoded token costs: dispatches, submits, bytes to and from the device, JavaScript', false),
  );
  withOffloadOptions(withQuantizeOptions(withAdapterOption(command))).action((options: BenchOptions) =>
    run(options, (context) => bench(options, context)),
  );
}

async function bench(options: BenchOptions, context: Context) {
  const { model, prompt, newTokens, maxTiles, runs, warmUps, counts } = options;
  const { signal } = context;
  const quantize = quantizationOf(options);
  const offload = offloadOf(options);
  assertPrompt([{ role: 'user', content: prompt }]);
  // Complain before a large model has been loaded, not after.
  const given = options.image === undefined ? null : await decodeImage(await readImageFile(options.image));
  const adapters = await readAdapters(options);
  const source = await modelSource(model);
  const folder = await openModelFolder(await openFiles(source, { signal }), signal);
  context.caution(folder.warnings);

  const [{ openDevice }, { measureModel }, { planMemory }] = await Promise.all([
    import('../device/open-device.ts'),
    import('../engine/measure/measure.ts'),
    import('../engine/models/memory-plan.ts'),
  ]);
  const device = await openDevice(context.backend, commandDevices(context));
  warnOfSoftwareAdapter(device.info, context);
  const { takesPictures } = planMemory(folder, device.info, { quantize }).about;
  const picture = given ?? (takesPictures ? sixTiles() : null);
  const measured = await measureModel(
    folder,
    device,
    { picture, prompt, newTokens, maxTiles, runs, warmUps, counts },
    {
      quantize,
      offload,
      adapters,
      signal,
      onProgress: (progress) => reportLoading(model, progress, context),
      onRun: (done, total) => context.progress.update(`Measuring ${model}`, done, total, 'runs'),
    },
  ).catch((error: unknown) => {
    throw device.explain(error);
  });
  const reports = makeReports(measurementsOf(model, newTokens, measured, device.info));
  return { document: reports, text: describe(reports, device.info) };
}

function sixTiles(): RgbImage {
  const example = deskExamples().find(({ tiles, kind }) => tiles === 6 && kind === 'shapes');
  if (!example) throw new Error('No example of six tiles.');
  return example.draw();
}

function measurementsOf(model: string, newTokens: number, measured: ModelMeasurement, { adapter, backend }: DeviceInfo): Measurement[] {
  const { loadMs, tensorBytes, tiles, promptTokens, visionMs, prefillMs, decodeMs, peakBytes, plannedBytes } = measured;
  const of = (name: string, unit: string, samples: number[]): Measurement => ({
    name: `${model}: ${name}`,
    unit,
    samples,
    adapter,
    backend,
  });
  const perSecond = (count: number, ms: readonly number[]) => ms.map((one) => (1000 * count) / one);
  const vision = `tiling and vision encoder, ${tiles} ${tiles === 1 ? 'tile' : 'tiles'}`;
  const prefill = `prefill, ${promptTokens} tokens`;
  return [
    ...(loadMs === null ? [] : [of('load', 'ms', [loadMs]), of('load', 'MB/s', [tensorBytes / 1000 / loadMs])]),
    ...(visionMs.length > 0 ? [of(vision, 'ms', visionMs)] : []),
    of(prefill, 'ms', prefillMs),
    of(prefill, 'tokens/s', perSecond(promptTokens, prefillMs)),
    of(`decode, ${newTokens} tokens`, 'tokens/s', perSecond(newTokens, decodeMs)),
    ...countRows(of, measured),
    of('peak memory on the device', 'MB', [peakBytes / 1e6]),
    ...(plannedBytes === null ? [] : [of('planned memory', 'MB', [plannedBytes / 1e6])]),
    of('peak resident memory of the process', 'MB', [process.resourceUsage().maxRSS / 1e3]),
  ];
}

/** What a token costs in decoding alone, where it was counted. */
function countRows(
  of: (name: string, unit: string, samples: number[]) => Measurement,
  { counts, busyMs }: Pick<ModelMeasurement, 'counts' | 'busyMs'>,
): Measurement[] {
  if (!counts) return [];
  const { dispatches, submits, bytesWritten, bytesRead } = counts;
  const busy = (what: 'first' | 'step' | 'least') => busyMs.map((times) => times[what]);
  return [
    of('decode, dispatches a token', '', [dispatches]),
    of('decode, submits a token', '', [submits]),
    of('decode, bytes written a token', 'bytes', [bytesWritten]),
    of('decode, bytes read a token', 'bytes', [bytesRead]),
    of('decode, JavaScript of the first step, once an answer', 'ms', busy('first')),
    of('decode, JavaScript a token', 'ms', busy('step')),
    of('decode, JavaScript of the token that took least', 'ms', busy('least')),
  ];
}

function describe(reports: readonly BenchmarkReport[], device: DeviceInfo): string {
  const figure = (value: number) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3));
  const rows = reports.map(({ name, unit, samples, median }) => [
    name,
    figure(median),
    unit,
    samples.length > 1 ? `${figure(Math.min(...samples))} to ${figure(Math.max(...samples))}` : '',
  ]);
  return `${formatTable(rows)}\non ${deviceName(device)}, medians`;
}
