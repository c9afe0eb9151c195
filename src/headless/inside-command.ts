import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import type { InsideTrace, LensLayer } from '../engine/inside/inside-api.ts';
import type { Inside } from '../engine/inside/inside.ts';
import { assertPrompt } from '../text/prompt-limits.ts';
import type { ChatMessage } from '../text/types.ts';
import { decodeImage } from '../tiling/decode.ts';
import { MAX_TILES_ANYWHERE } from '../tiling/tile-limits.ts';
import { writeSafetensors } from '../weights/safetensors.ts';
import { withAdapterOption, type AdapterOptions } from './adapter-folder.ts';
import { required, withCommonOptions, wholeNumber, type CommonOptions, type Context, type Run } from './command.ts';
import { formatTable } from './format.ts';
import { cautionOfPicture, readImageFile } from './input-files.ts';
import { MODEL_HELP } from './model-source.ts';
import { withOffloadOptions, type OffloadFlags } from './offload-option.ts';
import { deviceName } from './open-engine.ts';
import { openSession } from './open-session.ts';
import { withQuantizeOptions, type QuantizeOptions } from './quantize-option.ts';

interface InsideCommandOptions extends CommonOptions, QuantizeOptions, OffloadFlags, AdapterOptions {
  model: string;
  image?: string;
  prompt?: string;
  maxTiles?: number;
  maxNewTokens: number;
  output?: string;
}

/** As long an answer as somebody looks at token by token. */
const MOST_NEW_TOKENS = 1024;

export function addInside(program: Command, run: Run): void {
  const command = withCommonOptions(
    program
      .command('inside')
      .description('Answer greedily and show what happened inside: probabilities, where each token looked, gates, what each tile is worth.')
      .option('--model <model>', MODEL_HELP, 'nano-d')
      .option('--image <file>', 'PNG, JPEG or WebP file')
      .option('--prompt <text>', 'the question (required)')
      .option('--max-new-tokens <n>', 'length limit of the answer', wholeNumber(1, MOST_NEW_TOKENS), 64)
      .option(
        '--max-tiles <n>',
        `most regular tiles, 1 to ${MAX_TILES_ANYWHERE} (default: the model's own)`,
        wholeNumber(1, MAX_TILES_ANYWHERE),
      )
      .option('--output <file>', 'safetensors to write: attention by layer and head, gates, odds, logit lens, worth of tiles'),
  );
  withOffloadOptions(withQuantizeOptions(withAdapterOption(command))).action((options: InsideCommandOptions) =>
    run(options, (context) => inside(options, context)),
  );
}

async function inside(options: InsideCommandOptions, context: Context) {
  const { signal, progress } = context;
  const messages: ChatMessage[] = [{ role: 'user', content: required(options.prompt, '--prompt') }];
  const image = options.image === undefined ? null : await readImageFile(options.image);
  // Complain before a large model has been loaded, not after.
  assertPrompt(messages);
  if (image) {
    await decodeImage(image);
    cautionOfPicture(options.image!, image, context);
  }
  const { session, device } = await openSession(options.model, options, context);
  const [{ Inside }, { wholeTiles }, { insideTensors }] = await Promise.all([
    import('../engine/inside/inside.ts'),
    import('../engine/inside/regions.ts'),
    import('../engine/inside/inside-tensors.ts'),
  ]);
  const look: Inside = new Inside(session);
  const trace = await look.open(
    { messages, image, maxTiles: options.maxTiles, maxNewTokens: options.maxNewTokens },
    {
      signal,
      onProgress: ({ stage, done, total }) =>
        progress.update(STAGES[stage], done, total, stage === 'image' || stage === 'vision' ? 'tiles' : 'tokens'),
    },
  );

  const worth: number[][] = [];
  const start = performance.now();
  if (trace.layout) {
    const onEvent = ({ region, worth: values, done, total }: { region: number; worth: number[]; done: number; total: number }) => {
      worth[region] = values;
      progress.update('Painting tiles', done, total, 'tiles');
    };
    await look.worth({ trace: trace.trace, regions: wholeTiles(trace.layout.tiles.length) }, { signal, onEvent });
  }
  const worthMs = performance.now() - start;
  let lens: LensLayer[] = [];
  if (options.output !== undefined) {
    if (trace.hasLens) {
      lens = await look.lens(trace.trace, undefined, {
        signal,
        onProgress: ({ done, total }) => progress.update('Reading the lens', done, total, 'tokens'),
      });
    }
    const tensors = await insideTensors(look.traceOf(trace.trace), { ...trace, lens, worth });
    await mkdir(dirname(options.output), { recursive: true });
    await writeFile(options.output, writeSafetensors(tensors));
  }
  const document = {
    ...(await findingsOf(look, trace)),
    tileWorth: worth.map((values, tile) => ({
      tile,
      tag: trace.layout!.tiles[tile]!.tag,
      thumbnail: trace.layout!.tiles[tile]!.thumbnail,
      worth: sum(values),
      tokens: values,
    })),
    worthMs,
    backend: device.info.backend,
    adapter: device.info.adapter,
  };
  return {
    document,
    text: `${describe(document, trace)}\n${trace.architecture} on ${deviceName(device.info)}${options.output === undefined ? '' : `; wrote ${options.output}`}`,
  };
}

const STAGES = {
  image: 'Cutting the image',
  vision: 'Seeing the image',
  answer: 'Answering',
  reading: 'Looking inside',
  worth: 'Painting tiles',
  lens: 'Reading the lens',
} as const;

/** Everything small enough to print; each token with where it looked, the mean over layers and heads. */
async function findingsOf(look: Inside, trace: InsideTrace) {
  const { sharesOf } = await import('../engine/inside/key-runs.ts');
  const shares = async (kind: 'self' | 'cross') => {
    const runs = trace.keys[kind];
    if (trace.layers[kind].length === 0) return null;
    const { values, rows, keys } = await look.attention({ trace: trace.trace, kind, how: 'mean' });
    return Array.from({ length: rows }, (_, row) => sharesOf(values.subarray(row * keys, (row + 1) * keys), runs));
  };
  const [self, cross] = [await shares('self'), await shares('cross')];
  const logp = trace.answer.reduce((total, token) => total + token.logp, 0);
  const odds = ({ id, text, logp }: { id: number; text: string; logp: number }) => ({ id, text, p: Math.exp(logp), logp });
  return {
    text: trace.text,
    ids: trace.answer.map(({ id }) => id),
    finishReason: trace.finishReason,
    architecture: trace.architecture,
    logp,
    tokens: trace.answer.map((token, at) => ({
      ...odds(token),
      alternatives: token.top.map(odds),
      looked: { self: self?.[at] ?? null, cross: cross?.[at] ?? null },
    })),
    gates: trace.gates.map(({ layer, used }) => ({ layer, gate: used })),
  };
}

type Findings = Awaited<ReturnType<typeof findingsOf>> & { tileWorth: { tag: string; thumbnail: boolean; tile: number; worth: number }[] };

function describe({ text, tokens, gates, tileWorth }: Findings, { layout }: InsideTrace): string {
  // Its number among the regular tiles: the thumbnail may stand before them.
  const number = (tile: number) => layout!.tiles.slice(0, tile + 1).filter(({ thumbnail }) => !thumbnail).length;
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const looked = ({ looked: { self, cross } }: Findings['tokens'][number]) =>
    [...(self ?? []), ...(cross ?? []).map((share) => ({ ...share, owner: `x-${share.owner}` }))]
      .filter(({ share }) => share >= 0.05)
      .sort((a, b) => b.share - a.share)
      .slice(0, 4)
      .map(({ owner, tile, share }) => `${owner}${owner.endsWith('tile') ? ` ${number(tile!)}` : ''} ${percent(share)}`)
      .join(', ');
  const lines = [
    text,
    '',
    formatTable([
      ['token', 'probability', 'next best', 'looked at'],
      ...tokens.map((token) => [JSON.stringify(token.text), percent(token.p), nextBest(token), looked(token)]),
    ]),
  ];
  if (gates.length > 0) lines.push('', `gates: ${gates.map(({ layer, gate }) => `layer ${layer} ${gate.toFixed(3)}`).join(', ')}`);
  if (tileWorth.length > 0) {
    lines.push('', 'worth of each tile (log p of the answer lost when it is painted over):');
    lines.push(
      formatTable(
        tileWorth.map(({ tile, tag, thumbnail, worth }) => [thumbnail ? 'thumbnail' : `tile ${number(tile)}`, tag, worth.toFixed(3)]),
      ),
    );
  }
  return lines.join('\n');
}

function nextBest({ id, alternatives }: Findings['tokens'][number]): string {
  const other = alternatives.find((one) => one.id !== id);
  return other ? `${JSON.stringify(other.text)} ${(100 * other.p).toFixed(1)} %` : '';
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
