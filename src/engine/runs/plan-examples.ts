import { NvlmError, throwIfAborted, type ErrorCode } from '../../errors.ts';
import type { DatasetRecord } from '../../datasets/types.ts';
import type { DataProblem } from '../../datasets/llava.ts';
import type { NvlmConfig } from '../../nvlm/config.ts';
import { sharePrefixes, type SharedPrefixes } from '../../nvlm/shared-prefix.ts';
import type { ChatMessage, TokenPlan } from '../../text/types.ts';
import { decodeImage } from '../../tiling/decode.ts';
import type { Tiling } from '../../tiling/types.ts';
import { countLabels } from '../../training/labels.ts';
import { createHasher } from '../../weights/hasher.ts';
import type { CallOptions } from '../api.ts';
import { planConversation, type TextSide } from '../chat/text-side.ts';
import { tilePicture } from '../chat/tile-picture.ts';
import { yieldToEventLoop } from '../yield.ts';

/** A record as the model will see it. */
export interface TrainingExample {
  id: string;
  image: string | null;
  plan: TokenPlan;
  /** Of its words and its picture: 64 hex digits. */
  digest: string;
}

/** How records that are one sample share the picture that they begin with. */
export function sharedOf(examples: readonly TrainingExample[]): SharedPrefixes {
  const pictures = new Map<string, object>();
  return sharePrefixes(
    examples.map(({ image, plan }) => {
      if (image === null) return { plan, features: null };
      const features = pictures.get(image) ?? {};
      pictures.set(image, features);
      return { plan, features };
    }),
  );
}

/** Bytes of a picture by its path in the data. */
export type ReadImage = (path: string) => Promise<Uint8Array>;

/** Text is planned without waiting for anything: a stop has to get in between. */
const YIELD_EVERY_MS = 40;

/** What can be wrong with one record alone. */
const RECORD_ERRORS: ReadonlySet<ErrorCode> = new Set(['bad-image', 'bad-data', 'image-too-large', 'not-found', 'empty-prompt', 'usage']);

/**
 * Plans every record: a picture that cannot be read or a conversation that is too long is found here, not in the
 * middle of the run.
 */
export async function planExamples(
  text: TextSide,
  records: readonly DatasetRecord[],
  readImage: ReadImage,
  { signal, maxTiles, onProgress }: CallOptions & { maxTiles: number | null; onProgress?: (done: number) => void },
): Promise<{ examples: TrainingExample[]; problems: DataProblem[] }> {
  const examples: TrainingExample[] = [];
  const problems: DataProblem[] = [];
  let heard = performance.now();
  for (const [index, { id, image, messages }] of records.entries()) {
    if (performance.now() - heard > YIELD_EVERY_MS) {
      await yieldToEventLoop();
      heard = performance.now();
    }
    throwIfAborted(signal);
    try {
      const picture = image === null ? null : await readImage(image);
      const digest = digestOf(messages, picture);
      const tiling = picture && (await tileForModel(text, picture, maxTiles));
      const plan = planConversation(text, messages, tiling ? [tiling] : [], false);
      const reason = unfit(plan, text);
      if (reason) problems.push({ id, reason });
      else examples.push({ id, image, plan, digest });
    } catch (error) {
      if (!(error instanceof NvlmError) || !RECORD_ERRORS.has(error.code)) throw error;
      problems.push({ id, reason: error.message });
    }
    onProgress?.(index + 1);
  }
  return { examples, problems };
}

function digestOf(messages: readonly ChatMessage[], picture: Uint8Array | null): string {
  const hasher = createHasher();
  const words = messages.map(({ role, content }) => [role, content]);
  hasher.update(new TextEncoder().encode(JSON.stringify([words, picture && picture.length])));
  if (picture) hasher.update(picture);
  return hasher.digest();
}

/** Why a plan cannot be learnt from; null when it can. */
export function unfit(plan: TokenPlan, { config }: TextSide): string | null {
  const [length, most] = [plan.inputIds.length, config.llm.maxPositions];
  if (length > most) return `it is ${length} tokens long; the model has ${most} positions`;
  return countLabels(plan) > 0 ? null : 'it has no answer to learn from';
}

/**
 * A picture as the model will see it.
 *
 * @param bytes encoded file
 * @param maxTiles null = the model's own maximum
 * @throws NvlmError `bad-image`, `image-too-large`, `usage` (a text model)
 */
export async function tileForModel({ config }: { config: NvlmConfig }, bytes: Uint8Array, maxTiles: number | null): Promise<Tiling> {
  if (!config.vision) throw new NvlmError('usage', 'this is a text model: it cannot see pictures', 'Use text-only data.');
  return tilePicture(await decodeImage(bytes), config, maxTiles);
}
