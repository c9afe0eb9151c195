import * as tf from '@tensorflow/tfjs';
import type { Tensor3D } from '@tensorflow/tfjs';
import { NvlmError, throwIfAborted, type ErrorCode } from '../errors.ts';
import type { NvlmModel } from '../nvlm/model.ts';
import type { TokenPlan } from '../text/types.ts';
import { decodeImage } from '../tiling/decode.ts';
import { toPixelValues } from '../tiling/pixel-values.ts';
import { tileImage } from '../tiling/tile-image.ts';
import type { Tiling } from '../tiling/types.ts';
import { countLabels } from '../training/loss.ts';
import type { Trainer } from '../training/trainer.ts';
import type { CallOptions } from './api.ts';
import type { DataProblem, DataRecord } from './conversation-data.ts';
import { planConversation, type TextSide } from './session.ts';
import { encodeTiles } from './vision.ts';

/** A record as the model will see it. */
export interface TrainingExample {
  id: string;
  image: string | null;
  plan: TokenPlan;
}

/** Bytes of a picture by its path in the data. */
export type ReadImage = (path: string) => Promise<Uint8Array>;

/** What can be wrong with one record alone. */
const RECORD_ERRORS: ReadonlySet<ErrorCode> = new Set([
  'bad-image',
  'bad-data',
  'image-too-large',
  'not-found',
  'empty-prompt',
  'usage',
]);

/**
 * Plans every record: a picture that cannot be read or a conversation that is too long is found here, not in the
 * middle of the run.
 */
export async function planExamples(
  text: TextSide,
  records: readonly DataRecord[],
  readImage: ReadImage,
  { signal, maxTiles, onProgress }: CallOptions & { maxTiles: number | null; onProgress?: (done: number) => void },
): Promise<{ examples: TrainingExample[]; problems: DataProblem[] }> {
  const examples: TrainingExample[] = [];
  const problems: DataProblem[] = [];
  for (const [index, { id, image, messages }] of records.entries()) {
    throwIfAborted(signal);
    try {
      const tiling = image === null ? null : await tile(text, await readImage(image), maxTiles);
      const plan = planConversation(text, messages, tiling, false);
      const reason = unfit(plan, text);
      if (reason) problems.push({ id, reason });
      else examples.push({ id, image, plan });
    } catch (error) {
      if (!(error instanceof NvlmError) || !RECORD_ERRORS.has(error.code)) throw error;
      problems.push({ id, reason: error.message });
    }
    onProgress?.(index + 1);
  }
  return { examples, problems };
}

function unfit(plan: TokenPlan, { config }: TextSide): string | null {
  const [length, most] = [plan.inputIds.length, config.llm.maxPositions];
  if (length > most) return `it is ${length} tokens long; the model has ${most} positions`;
  return countLabels(plan) > 0 ? null : 'it has no answer to learn from';
}

async function tile({ config }: Pick<TextSide, 'config'>, bytes: Uint8Array, maxTiles: number | null): Promise<Tiling> {
  if (!config.vision)
    throw new NvlmError('usage', 'this is a text model: it cannot see pictures', 'Use text-only data.');
  const { tileSize, useThumbnail, tagFormat } = config;
  return tileImage(
    await decodeImage(bytes),
    { maxTiles: maxTiles ?? config.maxTiles, tileSize, useThumbnail },
    tagFormat,
  );
}

/** Kept features; what goes beyond is encoded again when its picture comes round. */
const MOST_BYTES = 256 * 2 ** 20;

/**
 * The frozen part of every picture's way, computed when it is first needed and kept within a bound, last used longest.
 */
export class TrainingImages {
  private readonly kept = new Map<string, Tensor3D>();

  constructor(
    private readonly model: NvlmModel,
    private readonly trainer: Trainer,
    private readonly readImage: ReadImage,
    private readonly maxTiles: number | null,
    private readonly mostBytes = MOST_BYTES,
  ) {}

  /** The cache's own; valid until {@link trim}. */
  async get(path: string, signal?: AbortSignal): Promise<Tensor3D> {
    const known = this.kept.get(path);
    if (known) {
      // Behind the others: a Map keeps the order in which its entries were set.
      this.kept.delete(path);
      this.kept.set(path, known);
      return known;
    }
    const { tiles } = await tile(this.model, await this.readImage(path), this.maxTiles);
    const pixels = toPixelValues(tiles.map((one) => one.pixels));
    const encode = (some: Float32Array, count: number) => this.trainer.prepareImage(some, count);
    const encoded = await encodeTiles(this.model, pixels, tiles.length, { signal, encode });
    this.kept.set(path, encoded);
    return encoded;
  }

  /** Frees what is beyond the bound; called between steps, when no batch holds anything. */
  trim(): void {
    let bytes = [...this.kept.values()].reduce((sum, { size }) => sum + size * 4, 0);
    for (const [path, tensor] of this.kept) {
      if (bytes <= this.mostBytes) return;
      bytes -= tensor.size * 4;
      tensor.dispose();
      this.kept.delete(path);
    }
  }

  dispose(): void {
    tf.dispose([...this.kept.values()]);
    this.kept.clear();
  }
}
