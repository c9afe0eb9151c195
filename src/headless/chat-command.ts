import type { Command } from 'commander';
import type { ChatEvent, ChatResult, LoadedModel, Sampling } from '../engine/api.ts';
import { assertPrompt } from '../text/prompt-limits.ts';
import type { ChatMessage } from '../text/types.ts';
import { decodeImage } from '../tiling/decode.ts';
import { MAX_TILES_ANYWHERE } from '../tiling/tile-limits.ts';
import { withAdapterOption, type AdapterOptions } from './adapter-folder.ts';
import { number, required, withCommonOptions, wholeNumber, type CommonOptions, type Context, type Run } from './command.ts';
import { cautionOfPicture, readImageFile } from './input-files.ts';
import { MODEL_HELP } from './model-source.ts';
import { offloadOf, withOffloadOptions, type OffloadFlags } from './offload-option.ts';
import { deviceName, openEngine } from './open-engine.ts';
import { quantizationOf, withQuantizeOptions, type QuantizeOptions } from './quantize-option.ts';

interface ChatOptions extends CommonOptions, Sampling, QuantizeOptions, OffloadFlags, AdapterOptions {
  model: string;
  image?: string[];
  system?: string;
  prompt?: string;
  maxTiles?: number;
  maxNewTokens: number;
}

const MOST_NEW_TOKENS = 1 << 20;

export function addChat(program: Command, run: Run): void {
  const command = withCommonOptions(
    program
      .command('chat')
      .description('Ask a question, about an image or without one.')
      .option('--model <model>', MODEL_HELP, 'nano-d')
      .option('--image <file>', 'PNG, JPEG or WebP file; several may be given, in the order in which they stand', collect)
      .option('--system <text>', "what the system turn says, instead of the model's own")
      .option('--prompt <text>', 'the question (required); - reads it from standard input')
      .option('--max-new-tokens <n>', 'length limit of the answer', wholeNumber(1, MOST_NEW_TOKENS), 256)
      .option('--max-tiles <n>', "most regular tiles (default: the model's own)", wholeNumber(1, MAX_TILES_ANYWHERE))
      .option('--temperature <t>', '0 is greedy: always the likeliest token', number(0, 10), 0)
      .option('--top-k <k>', 'draw from the k likeliest tokens only; 0 keeps all', wholeNumber(0))
      .option('--top-p <p>', 'draw from the likeliest tokens that make up this probability', number(0, 1, { above: true }))
      .option('--repetition-penalty <r>', 'above 1: repeat less', number(0, 10, { above: true }))
      .option('--seed <n>', 'equal seeds give equal answers', wholeNumber(0, 2 ** 32 - 1)),
  );
  withOffloadOptions(withQuantizeOptions(withAdapterOption(command))).action((options: ChatOptions) =>
    run(options, (context) => chat(options, context)),
  );
}

async function chat(options: ChatOptions, context: Context) {
  const prompt = required(options.prompt, '--prompt');
  const content = prompt === '-' ? await readStandardInput() : prompt;
  const system: ChatMessage[] = options.system === undefined ? [] : [{ role: 'system', content: options.system }];
  const messages: ChatMessage[] = [...system, { role: 'user', content }];
  const [image = null, ...moreImages] = await Promise.all((options.image ?? []).map(readImageFile));
  // Complain before a large model has been loaded, not after.
  assertPrompt(messages);
  for (const [i, file] of (image ? [image, ...moreImages] : []).entries()) {
    await decodeImage(file);
    cautionOfPicture(options.image![i]!, file, context);
  }

  const { engine, loaded } = await openEngine(options.model, context, {
    quantize: quantizationOf(options),
    offload: offloadOf(options),
    adapter: options.adapter,
  });
  const { temperature, topK, topP, repetitionPenalty, seed, maxTiles, maxNewTokens } = options;
  const sampling: Sampling = { temperature, topK, topP, repetitionPenalty, seed };
  const result = await engine.chat(
    { messages, image, moreImages, maxTiles, sampling, maxNewTokens },
    { signal: context.signal, onEvent: (event) => show(event, context) },
  );
  if (!context.json) {
    process.stdout.write('\n');
    context.warn(summary(result, loaded));
  }
  return { document: documentOf(result), text: '', interrupted: result.finishReason === 'cancelled' };
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8').trim();
}

function show(event: ChatEvent, { json, progress }: Context): void {
  if (event.type === 'token') {
    if (json) return;
    progress.clear();
    process.stdout.write(event.text);
  } else if (event.stage === 'vision') {
    progress.update('Seeing the image', event.done, event.total, 'tiles');
  } else if (event.stage === 'prefill') {
    progress.update('Reading the prompt', event.done, event.total, 'tokens');
  }
}

function documentOf({ text, ids, finishReason, usage, timings, backend, adapter }: ChatResult): object {
  const { loadMs, visionMs, prefillMs, decodeMs } = timings;
  return { text, ids, finishReason, usage, timings: { loadMs, visionMs, prefillMs, decodeMs }, backend, adapter };
}

function summary(result: ChatResult, { entry }: LoadedModel): string {
  const { usage, timings, finishReason } = result;
  const steps = usage.completionTokens - 1;
  const rate = steps > 0 ? `, ${((1000 * steps) / timings.decodeMs).toFixed(0)} tokens/s` : '';
  const ended = { stop: '', length: ' (cut at the length limit)', cancelled: ' (stopped)' }[finishReason];
  const first = (timings.firstTokenMs / 1000).toFixed(2);
  const said = `${usage.completionTokens} tokens${ended}${rate}, the first after ${first} s`;
  return `${entry.title} on ${deviceName(result)}: ${said}`;
}
