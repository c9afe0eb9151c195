import type { DatasetRecord } from '../../datasets/types.ts';
import type { Segment } from '../../text/types.ts';
import type { Tiling } from '../../tiling/types.ts';
import { countLabels, isLearnt } from '../../training/labels.ts';
import { tileForModel, unfit, type ReadImage } from './plan-examples.ts';
import { planConversation, type TextSide } from '../chat/text-side.ts';

/** Neighbouring tokens that are shown one by one, or a tile's image tokens as one. */
export interface PreviewRun {
  kind: Segment['kind'];
  /** Place in {@link ExamplePreview.tiles}, for `tag` and `visual`. */
  tile: number | null;
  /** Image tokens: how many; else one entry a token. */
  tokens: { position: number; id: number; text: string; learnt: boolean }[];
  count: number;
}

/** A record exactly as the trainer will see it. */
export interface ExamplePreview {
  runs: PreviewRun[];
  tiling: Pick<Tiling, 'image' | 'tiles'> | null;
  /** Positions of the sequence, and those that the loss counts. */
  positions: number;
  learnt: number;
  crossAttentionTokens: number;
  contextLength: number;
  /** Why training would leave it out; null when it would not. */
  problem: string | null;
}

/**
 * Plans one record with the code that plans it for training: its tokens, which of them are learnt, and its tiles.
 *
 * @throws NvlmError `bad-image`, `image-too-large`, `usage` (picture for a text model), `bad-model`
 */
export async function previewExample(
  text: TextSide,
  { image, messages }: DatasetRecord,
  readImage: ReadImage,
  maxTiles: number | null,
): Promise<ExamplePreview> {
  const tiling = image === null ? null : await tileForModel(text, await readImage(image), maxTiles);
  const plan = planConversation(text, messages, tiling ? [tiling] : [], false);
  const runs = plan.segments.map(({ kind, tile, start, end }): PreviewRun => {
    const positions = kind === 'visual' ? [] : Array.from({ length: end - start }, (_, i) => start + i);
    const tokens = positions.map((position) => {
      const id = plan.inputIds[position]!;
      return { position, id, text: text.tokenizer.tokenText(id), learnt: isLearnt(plan.labels[position]!, position) };
    });
    return { kind, tile: tile ?? null, tokens, count: end - start };
  });
  return {
    runs,
    tiling: tiling && { image: tiling.image, tiles: tiling.tiles },
    positions: plan.inputIds.length,
    learnt: countLabels(plan),
    crossAttentionTokens: plan.counts.crossAttentionTokens,
    contextLength: text.config.llm.maxPositions,
    problem: unfit(plan, text),
  };
}
