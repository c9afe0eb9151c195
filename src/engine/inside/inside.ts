import * as tf from '@tensorflow/tfjs';
import type { Tensor3D } from '@tensorflow/tfjs';
import { NvlmError, throwIfAborted } from '../../errors.ts';
import { hasCrossAttention, tokensPerTile } from '../../nvlm/config.ts';
import { generate } from '../../nvlm/generate.ts';
import { names } from '../../nvlm/names.ts';
import { Sampler } from '../../nvlm/sampler.ts';
import { assertFits, assertPrompt } from '../../text/prompt-limits.ts';
import type { Tiling } from '../../tiling/types.ts';
import type { CallOptions } from '../api.ts';
import type { SeenImage, Session } from '../chat/session.ts';
import { planConversation } from '../chat/text-side.ts';
import { yieldToEventLoop } from '../yield.ts';
import { attentionRows, headAttention, layersOf } from './attention-views.ts';
import { changedTiling, checkChanges, gateTensors, inOrder, withTiles } from './changes.ts';
import type {
  AnswerToken,
  AttentionRequest,
  AttentionRows,
  ChangedAnswer,
  Gate,
  HeadAttention,
  InsideChanges,
  InsideProgress,
  InsideRequest,
  InsideTrace,
  LensLayer,
  PictureLayout,
  WorthEvent,
  WorthRequest,
} from './inside-api.ts';
import { crossKeys, selfKeys } from './key-runs.ts';
import { logitLens, visualPositions } from './lens.ts';
import { encodeBlank, firstReader, tileWorth } from './tile-worth.ts';
import { Trace, type TraceInput } from './trace.ts';

export interface InsideOptions extends CallOptions {
  onProgress?: (progress: InsideProgress) => void;
}

/** The trace that is open, and what it was made of. */
interface Opened {
  about: InsideTrace;
  trace: Trace;
  request: InsideRequest;
  /** As the sequence has it, changes included. */
  tiling: Tiling | null;
}

/** What an answer is computed from, before there is an answer. */
type Question = Omit<TraceInput, 'answer'>;

/** Over all sessions, so that no number means two answers. */
let lastTrace = 0;

/**
 * What happens inside a session's model while it answers. One trace is open at a time; it holds a cache of its own, so the chat goes
 * on as if nothing had been looked at. Calls must not overlap, neither with each other nor with the session's.
 */
export class Inside {
  private opened: Opened | null = null;

  constructor(private readonly session: Session) {}

  /** @throws NvlmError as `chat`, and `bad-data` for an answer without a token */
  async open(request: InsideRequest, options: InsideOptions = {}): Promise<InsideTrace> {
    const { model, device, config } = this.session;
    this.session.requireText();
    assertPrompt(request.messages);
    throwIfAborted(options.signal);
    this.close();
    const image = await this.see(request, options);
    const given = request.answer ? { ids: [...request.answer], finishReason: 'given' as const } : null;
    const said = given ?? (await this.answer(request, image, options));
    if (said.ids.length === 0) {
      throw new NvlmError(
        'bad-data',
        'The model ended its answer before the first token: there is nothing to look at.',
        'Ask another question.',
      );
    }
    const wrong = said.ids.find((id) => !(Number.isInteger(id) && id >= 0 && id < config.llm.vocabSize));
    if (wrong !== undefined)
      throw new NvlmError('bad-data', `${wrong} is no token of this model.`, 'Give the ids as this model said them.');

    const question = this.question(request, image, request.changes ?? {});
    const trace = new Trace(model, device, { ...question, answer: said.ids });
    try {
      assertFits(question.plan, this.session.contextLength, said.ids.length);
      options.onProgress?.({ stage: 'reading', done: 0, total: question.plan.inputIds.length });
      const start = performance.now();
      const answer = await trace.run(options);
      const runMs = performance.now() - start;
      options.onProgress?.({ stage: 'reading', done: question.plan.inputIds.length, total: question.plan.inputIds.length });
      const gates = await this.gates(request.changes ?? {});
      const tiling = image && changedTiling(image.tiling, request.changes ?? {});
      const about = { ...this.describe(trace, tiling, answer, gates), ...costs(trace, image, runMs), finishReason: said.finishReason };
      this.opened = { about, trace, request, tiling };
      return about;
    } catch (error) {
      trace.dispose();
      throw device.explain(error);
    }
  }

  /** Attention with layers and heads put together. @throws NvlmError `usage` */
  attention(request: AttentionRequest, options: CallOptions = {}): Promise<AttentionRows> {
    return this.explained(() => attentionRows(this.require(request.trace).trace, request, options));
  }

  /** Attention of every head by itself. @throws NvlmError `usage` */
  heads(request: Omit<AttentionRequest, 'how'>, options: CallOptions = {}): Promise<HeadAttention> {
    return this.explained(() => headAttention(this.require(request.trace).trace, request, options));
  }

  /** What regions of the picture are worth; see {@link tileWorth}. Each is handed over as soon as it is known. */
  async worth(
    { trace, regions }: WorthRequest,
    { signal, onEvent }: CallOptions & { onEvent: (event: WorthEvent) => void },
  ): Promise<void> {
    const { trace: open, tiling, about } = this.require(trace);
    if (!tiling) throw new NvlmError('usage', 'The question has no picture.', 'Ask about a picture.');
    const logp = about.answer.map((token) => token.logp);
    await this.explained(() => tileWorth(open, tiling, regions, logp, { signal, onEvent }));
  }

  /** @param layers default: all. @throws NvlmError `usage` where no cells stand in the sequence */
  async lens(trace: number, layers: readonly number[] | undefined, { signal, onProgress }: InsideOptions = {}): Promise<LensLayer[]> {
    const { trace: open } = this.require(trace);
    const all = layersOf(open, 'self');
    const wrong = layers?.find((layer) => !all.includes(layer));
    if (wrong !== undefined) throw new NvlmError('usage', `There is no layer ${wrong}.`, `Layers are 0 to ${all.length - 1}.`);
    if (visualPositions(open).length === 0) {
      throw new NvlmError(
        'usage',
        'No cell of a picture stands in the sequence: there is nothing to read.',
        'Ask NVLM-D, or NVLM-H about a picture of several tiles, about a picture.',
      );
    }
    const { tokenizer } = this.session.requireText();
    const places = open.input.plan.segments
      .filter(({ kind }) => kind === 'visual')
      .flatMap(({ tile, start, end }) => Array.from({ length: end - start }, (_, cell) => ({ tile: tile!, cell })));
    return this.explained(async () => {
      const found: LensLayer[] = [];
      const progress = (done: number, total: number) => onProgress?.({ stage: 'lens', done, total });
      for await (const { layer, ids, p } of logitLens(open, this.session.device, layers ?? all, { signal, onProgress: progress })) {
        found.push({
          layer,
          cells: places.map((place, at) => ({ ...place, id: ids[at]!, text: tokenizer.tokenText(ids[at]!), p: p[at]! })),
        });
      }
      return found;
    });
  }

  /** Answers the trace's question again under changes, greedily, and says what they make of the first answer. */
  async again(trace: number, changes: InsideChanges, maxNewTokens: number, options: InsideOptions = {}): Promise<ChangedAnswer> {
    const { request, about } = this.require(trace);
    return this.explained(async () => {
      const image = await this.see(request, options);
      const changed = { ...request, changes, maxNewTokens };
      const { ids, finishReason } = await this.answer(changed, image, options);
      const odds = async (answer: readonly number[]): Promise<AnswerToken[]> => {
        if (answer.length === 0) return [];
        const run = new Trace(this.session.model, this.session.device, { ...this.question(changed, image, changes), answer });
        try {
          return await run.run(options);
        } finally {
          run.dispose();
        }
      };
      const answer = await odds(ids);
      const first = about.answer.map(({ id }) => id);
      const firstLogp = (await odds(first)).map(({ logp }) => logp);
      return {
        text: this.session.requireText().tokenizer.decode(ids, { skipSpecialTokens: true }),
        finishReason,
        answer,
        firstLogp,
        gates: await this.gates(changes),
      };
    });
  }

  /** What the trace was opened with. @throws NvlmError `not-found` when another has taken its place */
  requestOf(trace: number): InsideRequest {
    return this.require(trace).request;
  }

  /** The open trace itself, for whoever writes it down whole. */
  traceOf(trace: number): Trace {
    return this.require(trace).trace;
  }

  /** Frees what the open trace holds on the device. */
  close(): void {
    this.opened?.trace.dispose();
    this.opened = null;
  }

  private require(trace: number): Opened {
    if (this.opened?.about.trace === trace) return this.opened;
    throw new NvlmError('not-found', 'That answer is not open any more.', 'Open it again.');
  }

  private async explained<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.session.device.explain(error);
    }
  }

  private async see(request: InsideRequest, { signal, onProgress }: InsideOptions): Promise<SeenImage | null> {
    if (!request.image) return null;
    return this.session.see(request.image, request.maxTiles, {
      signal,
      onEvent: (event) => {
        if (event.type !== 'stage' || (event.stage !== 'image' && event.stage !== 'vision')) return;
        onProgress?.({ stage: event.stage, done: event.done, total: event.total });
      },
    });
  }

  /** Plan, features and gates under the changes; the caller's to dispose. */
  private question({ messages }: InsideRequest, image: SeenImage | null, changes: InsideChanges): Question {
    const text = this.session.requireText();
    checkChanges(changes, this.session.config, image?.tiling ?? null);
    // The sequence has a place for each tile, whichever stands there: rows end where they did.
    const places = image ? [changedTiling(image.tiling, { tagFormat: changes.tagFormat })] : [];
    const plan = planConversation(text, messages, places, true);
    const textOf = (id: number) => text.tokenizer.tokenText(id);
    return { plan, features: image && this.features(image, changes), gates: gateTensors(changes.gates), textOf };
  }

  private features({ features, tiling }: SeenImage, { order, hide }: InsideChanges): Tensor3D {
    return tf.tidy(() => {
      const ordered = order ? inOrder(features, order, tiling) : features.clone();
      return hide && hide.length > 0 ? withTiles(ordered, hide, encodeBlank(this.session.model)) : ordered;
    });
  }

  /** The greedy answer. */
  private async answer(
    request: InsideRequest,
    image: SeenImage | null,
    { signal, onProgress }: InsideOptions,
  ): Promise<{ ids: number[]; finishReason: 'stop' | 'length' }> {
    const { model, device, stopIds, contextLength } = this.session;
    const { plan, features, gates } = this.question(request, image, request.changes ?? {});
    const cache = model.newCache(1);
    try {
      assertFits(plan, contextLength, 1);
      const ids: number[] = [];
      const tokens = generate(model, { plan, features }, cache, {
        sampler: new Sampler({ temperature: 0 }, model.imageTokenId === null ? [] : [model.imageTokenId]),
        stopIds,
        maxNewTokens: Math.min(request.maxNewTokens, contextLength - plan.inputIds.length),
        device,
        yieldToEventLoop,
        signal,
        probe: { gates },
      });
      onProgress?.({ stage: 'answer', done: 0, total: request.maxNewTokens });
      for (let next = await tokens.next(); ; next = await tokens.next()) {
        if (next.done) return { ids, finishReason: next.value };
        ids.push(next.value);
        onProgress?.({ stage: 'answer', done: ids.length, total: request.maxNewTokens });
      }
    } finally {
      cache.dispose();
      tf.dispose([features ?? [], [...gates.values()]]);
    }
  }

  private async gates({ gates = {} }: InsideChanges): Promise<Gate[]> {
    const { model, device, config } = this.session;
    const found: Gate[] = [];
    for (let layer = 0; layer < config.llm.layers; layer++) {
      if (!hasCrossAttention(config, layer)) continue;
      const gate = tf.tidy(() => model.weights.vector(names.crossAttentionGate(config, layer)).tanh());
      const [learnt] = await device.read(gate);
      gate.dispose();
      found.push({ layer, learnt: learnt!, used: gates[layer] ?? learnt! });
    }
    return found;
  }

  private describe(
    trace: Trace,
    tiling: Tiling | null,
    answer: AnswerToken[],
    gates: Gate[],
  ): Omit<InsideTrace, 'finishReason' | 'worthMs' | 'cellWorthMs' | 'lensMs'> {
    const { config } = this.session;
    const { tokenizer } = this.session.requireText();
    const { plan } = trace.input;
    const isThumbnail = (tile: number) => tiling?.tiles[tile]?.thumbnail ?? false;
    return {
      trace: ++lastTrace,
      architecture: config.family.title,
      text: tokenizer.decode(trace.input.answer, { skipSpecialTokens: true }),
      answer,
      prompt: plan.segments.flatMap(({ kind, start, end }) =>
        kind === 'visual'
          ? []
          : Array.from({ length: end - start }, (_, at) => {
              const id = plan.inputIds[start + at]!;
              return { position: start + at, id, text: tokenizer.tokenText(id), kind };
            }),
      ),
      promptTokens: plan.inputIds.length,
      rows: [...trace.rows],
      heads: config.llm.heads,
      layers: { self: layersOf(trace, 'self'), cross: trace.crossLayers },
      keys: { self: selfKeys(plan, answer.length, isThumbnail), cross: crossKeys(plan, isThumbnail) },
      gates,
      layout: tiling && layoutOf(tiling, tokensPerTile(config)),
      hasLens: plan.sequenceTiles.length > 0,
    };
  }
}

function layoutOf({ image, canvas, grid, options, tiles }: Tiling, perTile: number): PictureLayout {
  return {
    image,
    canvas: { width: canvas.width, height: canvas.height },
    grid: { cols: grid.cols, rows: grid.rows },
    tileSize: options.tileSize,
    cellsAcross: Math.sqrt(perTile),
    tiles: tiles.map(({ index, col, row, box, thumbnail, tag }) => ({ index, col, row, box, thumbnail, tag })),
  };
}

/** Estimates from what this answer took: the share of the encoder and of the decoder that is computed again. */
function costs(trace: Trace, image: SeenImage | null, runMs: number): Pick<InsideTrace, 'worthMs' | 'cellWorthMs' | 'lensMs'> {
  const { plan } = trace.input;
  const tiles = image?.tiling.tiles.length ?? 0;
  const again = (tile: number) => (runMs * (trace.length - firstReader(plan, tile))) / trace.length;
  const decoderMs = Array.from({ length: tiles }, (_, tile) => again(tile)).reduce((sum, ms) => sum + ms, 0);
  const tileMs = tiles > 0 ? image!.encodeMs / tiles : 0;
  return {
    worthMs: decoderMs + tileMs,
    cellWorthMs: plan.tokensPerTile * (decoderMs + tiles * 2 * tileMs),
    lensMs: runMs * 2,
  };
}
