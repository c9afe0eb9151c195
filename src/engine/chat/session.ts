import * as tf from '@tensorflow/tfjs';
import type { Tensor3D } from '@tensorflow/tfjs';
import { computesPacked } from '../../device/computes-packed.ts';
import type { Device } from '../../device/types.ts';
import { NvlmError, throwIfAborted } from '../../errors.ts';
import type { NvlmConfig } from '../../nvlm/config.ts';
import { generate } from '../../nvlm/generate.ts';
import type { KvCache } from '../../nvlm/kv-cache.ts';
import { loadModel } from '../../nvlm/load-model.ts';
import type { NvlmModel } from '../../nvlm/model.ts';
import { checkSampling, Sampler } from '../../nvlm/sampler.ts';
import { assertFits, assertPrompt } from '../../text/prompt-limits.ts';
import { createTextStream } from '../../text/text-stream.ts';
import type { TokenPlan } from '../../text/types.ts';
import { decodeImage } from '../../tiling/decode.ts';
import type { RgbImage, Tiling } from '../../tiling/types.ts';
import { tokenizerElsewhere, type ModelFolder } from '../../weights/model-folder.ts';
import type { StreamProgress } from '../../weights/stream.ts';
import { AttachedAdapters, type Stale } from '../../nvlm/adapters/attached-adapters.ts';
import type { AdapterModule } from '../../nvlm/adapters/adapter-modules.ts';
import { applyAdapter, type StrongAdapter } from '../adapters/adapter.ts';
import type { CallOptions, ChatEvent, ChatRequest, ChatResult, Quantization } from '../api.ts';
import { stopIdsOf } from './special-tokens.ts';
import { openTextSide, planConversation, type TextSide } from './text-side.ts';
import { pixelsOf, tilePicture } from './tile-picture.ts';
import { encodeTiles } from './vision.ts';
import type { AdapterUse } from '../runs/training-api.ts';
import { yieldToEventLoop } from '../yield.ts';

/** The picture the session has seen last: asked about again, it is not encoded again. */
export interface SeenImage {
  bytes: Uint8Array;
  maxTiles: number;
  tiling: Tiling;
  features: Tensor3D;
  /** What the vision encoder took for all tiles. */
  encodeMs: number;
}

/** The sequence whose keys and values are still on the device. */
interface SeenSequence {
  ids: number[];
  images: readonly SeenImage[];
  cache: KvCache;
}

/**
 * One loaded model, ready to answer. Calls must not overlap; the engine sees to that.
 *
 * Between turns it keeps the pictures' features and the keys and values of the conversation, so the next question about the same
 * pictures costs only its own tokens.
 */
export class Session {
  /** Those of the last question that had any. */
  private images: readonly SeenImage[] = [];
  private sequence: SeenSequence | null = null;
  private readonly adapters: AttachedAdapters;

  private constructor(
    readonly model: NvlmModel,
    readonly text: TextSide | null,
    /** Why there is no text side. */
    private readonly wordless: NvlmError,
    readonly stopIds: ReadonlySet<number>,
    readonly device: Device,
    readonly loadMs: number,
    private readonly longest: number,
  ) {
    this.adapters = new AttachedAdapters(model.weights);
  }

  static async open(
    folder: ModelFolder,
    device: Device,
    options: CallOptions & {
      quantize?: Quantization;
      contextLength?: number;
      adapters?: readonly StrongAdapter[];
      offload?: { budgetBytes: number };
      onProgress?: (progress: StreamProgress) => void;
    } = {},
  ): Promise<Session> {
    const start = performance.now();
    // `forward` works on ids, so a folder without a tokenizer is still a model.
    const text = folder.tokenizer ? openTextSide(folder) : null;
    const keepHalves = computesPacked(device.info);
    const model = await loadModel(folder, { ...options, keepHalves }, text?.imageTokenId ?? null);
    try {
      for (const { files, strength } of options.adapters ?? []) applyAdapter(model, files, strength);
      await device.check();
      const stopIds = stopIdsOf(folder, text?.tokenizer ?? null);
      const longest = options.contextLength ?? Infinity;
      return new Session(model, text, tokenizerElsewhere(folder) ?? noTokenizer(), stopIds, device, performance.now() - start, longest);
    } catch (error) {
      model.dispose();
      throw error;
    }
  }

  get config(): NvlmConfig {
    return this.model.config;
  }

  get contextLength(): number {
    return Math.min(this.longest, this.config.llm.maxPositions);
  }

  /** @throws NvlmError `empty-prompt`, `prompt-too-long`, `bad-image`, `image-too-large`, `usage`, `cancelled`, device errors */
  async chat(request: ChatRequest, { signal, onEvent }: CallOptions & { onEvent?: (event: ChatEvent) => void } = {}): Promise<ChatResult> {
    const text = this.requireText();
    checkSampling(request.sampling);
    checkNewTokens(request.maxNewTokens);
    assertPrompt(request.messages);
    throwIfAborted(signal);
    const start = performance.now();
    const given = [...(request.image ? [request.image] : []), ...(request.moreImages ?? [])];
    const images = await this.seeAll(given, request.maxTiles, { signal, onEvent });
    const visionMs = images.length > 0 ? performance.now() - start : 0;

    const plan = planConversation(
      text,
      request.messages,
      images.map(({ tiling }) => tiling),
      true,
    );
    const promptTokens = plan.inputIds.length;
    assertFits(plan, this.contextLength, 1);
    onEvent?.({ type: 'stage', stage: 'prefill', done: 0, total: promptTokens });

    const cache = this.resume(plan, images);
    const features = featuresOf(images);
    const stream = createTextStream(text.tokenizer);
    const prefillStart = performance.now();
    let firstTokenAt = 0;
    const result = { text: '', ids: [] as number[], finishReason: 'cancelled' as ChatResult['finishReason'] };
    const maxNewTokens = Math.min(request.maxNewTokens, this.contextLength - promptTokens);
    const tokens = generate(this.model, { plan, features }, cache, {
      sampler: new Sampler(request.sampling, text.imageTokenId === null ? [] : [text.imageTokenId]),
      stopIds: this.stopIds,
      maxNewTokens,
      device: this.device,
      yieldToEventLoop,
      signal,
      onPrefilled: () => {
        firstTokenAt = performance.now();
        onEvent?.({ type: 'stage', stage: 'decode', done: 0, total: maxNewTokens });
      },
    });
    try {
      for (let next = await tokens.next(); ; next = await tokens.next()) {
        if (next.done) {
          result.finishReason = next.value;
          break;
        }
        result.ids.push(next.value);
        const piece = stream.push(next.value);
        result.text += piece;
        onEvent?.({ type: 'token', id: next.value, text: piece, index: result.ids.length - 1 });
      }
      this.remember(plan, result.ids, images, cache);
    } catch (error) {
      cache.dispose();
      // What was already said stays: a stopped answer is an answer.
      if (!(error instanceof NvlmError && error.code === 'cancelled') || result.ids.length === 0) throw this.device.explain(error);
    } finally {
      if (images.length > 1) features?.dispose();
    }
    const rest = stream.flush();
    if (rest) {
      result.text += rest;
      onEvent?.({ type: 'token', id: result.ids.at(-1)!, text: rest, index: result.ids.length - 1 });
    }
    const end = performance.now();
    return {
      ...result,
      usage: { promptTokens, visualTokens: plan.counts.visualTokens, completionTokens: result.ids.length },
      timings: {
        loadMs: this.loadMs,
        visionMs,
        prefillMs: firstTokenAt - prefillStart,
        decodeMs: end - firstTokenAt,
        firstTokenMs: firstTokenAt - start,
      },
      backend: this.device.info.backend,
      adapter: this.device.info.adapter,
    };
  }

  /**
   * Puts exactly these adapters on the model, beside those it was loaded with. What was computed with others is
   * forgotten: keys and values, and features of the picture when an adapter reads it.
   *
   * @param read the modules of one that is not on the device yet
   * @throws NvlmError `usage` for a strength out of 0 … 2, and what `read` throws; the adapters before stay
   */
  async useAdapters(wanted: readonly AdapterUse[], read: (id: string) => Promise<AdapterModule[]>): Promise<void> {
    for (const { id, strength } of wanted) {
      if (!(strength >= 0 && strength <= MOST_STRENGTH)) {
        throw new NvlmError('usage', `An adapter's strength is ${strength}.`, `Give a number from 0 to ${MOST_STRENGTH}.`);
      }
      if (strength !== 0 && !this.adapters.has(id)) this.adapters.add(id, await read(id));
    }
    this.forgetStale(this.adapters.use(wanted));
  }

  /** Takes an adapter off and frees it. */
  removeAdapter(id: string): void {
    this.forgetStale(this.adapters.remove(id));
  }

  dispose(): void {
    this.forgetSequence();
    this.forgetImages();
    this.adapters.dispose();
    this.model.dispose();
  }

  /** @throws NvlmError `not-found` without a tokenizer */
  requireText(): TextSide {
    if (this.text) return this.text;
    throw this.wordless;
  }

  /** Decodes, tiles and encodes a picture, or finds that it is the last one again. Its features stay the session's. */
  async see(
    bytes: Uint8Array,
    maxTiles: number | undefined,
    options: CallOptions & { onEvent?: (event: ChatEvent) => void },
  ): Promise<SeenImage> {
    return (await this.seeAll([bytes], maxTiles, options))[0]!;
  }

  /** {@link see} of all pictures of a question; those of the question before that are not among them are forgotten. */
  private async seeAll(
    given: readonly Uint8Array[],
    maxTiles: number | undefined,
    options: CallOptions & { onEvent?: (event: ChatEvent) => void },
  ): Promise<readonly SeenImage[]> {
    // A question without a picture may be followed by one about the last again.
    if (given.length === 0) return [];
    const most = maxTiles ?? this.config.maxTiles;
    const seen: SeenImage[] = [];
    const before = this.images;
    try {
      for (const bytes of given) {
        const known = [...seen, ...before].find((image) => image.maxTiles === most && sameBytes(image.bytes, bytes));
        seen.push(known ?? (await this.encodeFile(bytes, most, options)));
      }
    } catch (error) {
      for (const { features } of seen.filter((image) => !before.includes(image))) if (!features.isDisposed) features.dispose();
      throw error;
    }
    const gone = before.filter((image) => !seen.includes(image));
    if (this.sequence?.images.some((image) => gone.includes(image))) this.forgetSequence();
    for (const { features } of gone) if (!features.isDisposed) features.dispose();
    this.images = seen;
    return seen;
  }

  private async encodeFile(
    bytes: Uint8Array,
    most: number,
    { signal, onEvent }: CallOptions & { onEvent?: (event: ChatEvent) => void },
  ): Promise<SeenImage> {
    onEvent?.({ type: 'stage', stage: 'image', done: 0, total: 1 });
    const picture = await decodeImage(bytes);
    throwIfAborted(signal);
    const encodeStart = performance.now();
    const { tiling, features } = await this.encode(picture, most, {
      signal,
      onTiles: (done, total) => onEvent?.({ type: 'stage', stage: 'vision', done, total }),
    });
    // A copy: the caller may transfer its buffer away.
    return { bytes: bytes.slice(), maxTiles: most, tiling, features, encodeMs: performance.now() - encodeStart };
  }

  /** Tiles and encodes a decoded picture. @returns features [tiles, tokensPerTile, decoderWidth]; the caller's to dispose */
  async encode(
    picture: RgbImage,
    maxTiles = this.config.maxTiles,
    { signal, onTiles }: CallOptions & { onTiles?: (done: number, total: number) => void } = {},
  ): Promise<{ tiling: Tiling; features: Tensor3D }> {
    const tiling = tilePicture(picture, this.config, maxTiles);
    const total = tiling.tiles.length;
    onTiles?.(0, total);
    const pixels = pixelsOf(tiling, this.config);
    const features = await encodeTiles(this.model, pixels, total, { signal, onTiles: (done) => onTiles?.(done, total) });
    return { tiling, features };
  }

  /** A cache that already holds as much of the plan as the last sequence shares with it, but never the last token. */
  private resume(plan: TokenPlan, images: readonly SeenImage[]): KvCache {
    const last = this.sequence;
    this.sequence = null;
    // A picture that is new stands behind what is shared; cross-attended ones belong to the whole sequence.
    const isLonger = !this.config.family.crossAttends || last?.images.length === images.length;
    if (last && isLonger && last.images.every((image, n) => image === images[n])) {
      const limit = Math.min(last.ids.length, plan.inputIds.length - 1);
      let shared = 0;
      while (shared < limit && last.ids[shared] === plan.inputIds[shared]) shared++;
      if (shared > 0) {
        last.cache.truncate(shared);
        return last.cache;
      }
    }
    last?.cache.dispose();
    return this.model.newCache(1);
  }

  private remember(plan: TokenPlan, ids: readonly number[], images: readonly SeenImage[], cache: KvCache): void {
    this.sequence = { ids: [...plan.inputIds, ...ids].slice(0, cache.lengths[0]), images, cache };
  }

  private forgetStale({ sequences, images }: Stale): void {
    if (sequences) this.forgetSequence();
    if (images) this.forgetImages();
  }

  private forgetImages(): void {
    for (const { features } of this.images) if (!features.isDisposed) features.dispose();
    this.images = [];
  }

  private forgetSequence(): void {
    this.sequence?.cache.dispose();
    this.sequence = null;
  }
}

const MOST_NEW_TOKENS = 1 << 20;
const MOST_STRENGTH = 2;

/** All pictures' features below each other; with several, the caller's to dispose. */
function featuresOf(images: readonly SeenImage[]): Tensor3D | null {
  if (images.length > 1)
    return tf.concat(
      images.map(({ features }) => features),
      0,
    );
  return images[0]?.features ?? null;
}

function checkNewTokens(count: number): void {
  if (Number.isInteger(count) && count >= 1 && count <= MOST_NEW_TOKENS) return;
  throw new NvlmError('usage', `The answer's length limit is ${count} tokens.`, 'Give a whole number from 1.');
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function noTokenizer(): NvlmError {
  return new NvlmError(
    'not-found',
    'This model folder has no tokenizer, so it cannot read or write text.',
    'Add its tokenizer.json, or use `forward` with token ids.',
  );
}
