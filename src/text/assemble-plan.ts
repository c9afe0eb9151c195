import { NvlmError } from '../errors.ts';
import { routeTiles, type ImageLayout } from './image-layout.ts';
import { concatenate } from './plan-parts.ts';
import type { Part, Sees, WrittenPart } from './plan-parts.ts';
import type { Segment, TileMark, TokenPlan, Tokenizer } from './types.ts';

export interface AssemblyOptions {
  tokenizer: Tokenizer;
  layout: ImageLayout;
  /** The tiles of each picture, pictures in the order in which they stand; [] without one. */
  pictures: readonly (readonly TileMark[])[];
  /** Tokens of one tile after pixel shuffle. */
  tokensPerTile: number;
  /** Stands at each visual position of the sequence; its embedding is overwritten. */
  imageTokenId: number;
}

/** Turns parts into the plan; every token of every sequence is counted here and nowhere else. */
export function assemblePlan(parts: readonly Part[], options: AssemblyOptions): TokenPlan {
  const { layout, tokenizer, pictures, tokensPerTile, imageTokenId } = options;
  const tiles = pictures.flat();
  const { sequenceTiles, crossTiles } = routeTiles(layout.routing, pictures);
  const crossTagIds =
    layout.routing.crossTags === 'keys' ? crossTiles.map((tile) => Int32Array.from(tokenizer.encode(tiles[tile]!.tag))) : [];

  const ids: number[] = [];
  const labels: number[] = [];
  const sees: Sees[] = [];
  const segments: Segment[] = [];
  const add = (part: Part, partIds: readonly number[]): void => {
    if (partIds.length === 0) return;
    const start = ids.length;
    for (const id of partIds) {
      ids.push(id);
      labels.push(part.kind === 'answer' && part.learn ? id : -100);
      sees.push(part.sees);
    }
    const segment: Segment = { kind: part.kind, start, end: ids.length };
    if (part.tile !== undefined) segment.tile = part.tile;
    if (part.kind !== 'visual') segment.text = part.text;
    segments.push(segment);
  };

  for (const group of groupParts(parts, layout.joinTags)) {
    const [first] = group;
    if (first?.kind === 'visual') {
      add(first, new Array<number>(tokensPerTile).fill(imageTokenId));
      continue;
    }
    const written = group.filter((part) => part.kind !== 'visual');
    encodeGroup(written, tokenizer).forEach((partIds, k) => {
      if (partIds.includes(imageTokenId) && tiles.length > 0) throw placeholderIsText(imageTokenId);
      const part = written[k];
      if (part) add(part, partIds);
    });
  }

  const tagTokensInKeys = crossTagIds.reduce((sum, tag) => sum + tag.length, 0);
  const tagTokensInSequence = segments.filter(({ kind }) => kind === 'tag').reduce((sum, { start, end }) => sum + end - start, 0);
  return {
    inputIds: Int32Array.from(ids),
    labels: Int32Array.from(labels),
    segments,
    tokensPerTile,
    sequenceTiles,
    crossTiles,
    crossMask: crossMask(sees, crossTiles.length),
    crossTagIds,
    counts: {
      decoderTokens: ids.length,
      crossAttentionTokens: crossTiles.length * tokensPerTile + tagTokensInKeys,
      visualTokens: tiles.length * tokensPerTile,
      tagTokens: tagTokensInSequence + tagTokensInKeys,
    },
  };
}

/** [rows, columns] row-major. */
function crossMask(sees: readonly Sees[], columns: number): Uint8Array {
  const mask = new Uint8Array(sees.length * columns);
  sees.forEach((what, row) => {
    if (what === 'all') mask.fill(1, row * columns, (row + 1) * columns);
    else if (what !== 'none') mask[row * columns + what] = 1;
  });
  return mask;
}

/**
 * Parts that are tokenised as one text: neighbouring texts that see the same; with `joinTags` also tags and their
 * neighbours.
 */
function groupParts(parts: readonly Part[], joinTags: boolean): Part[][] {
  const groups: Part[][] = [];
  for (const part of parts) {
    const group = groups.at(-1);
    const last = group?.at(-1);
    if (group && last?.kind === 'text' && part.kind === 'text' && last.sees === part.sees) {
      group[group.length - 1] = concatenate(last, part);
    } else if (group && last && joinTags && isTextOrTag(last) && isTextOrTag(part)) {
      group.push(part);
    } else {
      groups.push([part]);
    }
  }
  return groups;
}

function isTextOrTag({ kind }: Part): boolean {
  return kind === 'text' || kind === 'tag';
}

/** Ids of each part; a token that spans two parts belongs to the one that it ends in. */
function encodeGroup(parts: readonly WrittenPart[], tokenizer: Tokenizer): number[][] {
  const [first, ...rest] = parts;
  if (!first) return [];
  const whole = rest.reduce<WrittenPart>(concatenate, first);
  const ids = tokenizer.encode(whole.text, whole.literal);
  let from = 0;
  let prefix = first;
  const cut: number[][] = [];
  for (const next of rest) {
    const to = tokensWithin(ids, tokenizer.decode(tokenizer.encode(prefix.text, prefix.literal)).length, tokenizer);
    cut.push(ids.slice(from, Math.max(from, to)));
    from = Math.max(from, to);
    prefix = concatenate(prefix, next);
  }
  cut.push(ids.slice(from));
  return cut;
}

/** How many of the first tokens fit into `length` decoded characters (binary search: a prompt may be long). */
function tokensWithin(ids: readonly number[], length: number, tokenizer: Tokenizer): number {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (tokenizer.decode(ids.slice(0, middle)).length <= length) low = middle;
    else high = middle - 1;
  }
  return low;
}

function placeholderIsText(id: number): NvlmError {
  return new NvlmError(
    'bad-model',
    `Text of this prompt encodes to token ${id}, which the model keeps for image positions.`,
    "Check image_token_id in the model's config.json against its tokenizer.",
  );
}
