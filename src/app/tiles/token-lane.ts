import type { SegmentKind, TokenPlan } from '../../text/types.ts';
import type { Rect } from './stage-layout.ts';

export type Lane = 'decoder' | 'cross';

/** One token of a lane, as the pointer or the keyboard finds it. */
export interface TokenRef {
  lane: Lane;
  /** From 0: in the decoder's sequence, or among the keys that cross-attention reads. */
  position: number;
  kind: SegmentKind;
  /** Tile that the token names (tag) or comes from (visual). */
  tile: number | null;
  /** Visual tokens: place in the tile, row-major over its token grid. */
  cell: number | null;
  /** Surface text; empty for visual tokens. */
  text: string;
}

/** Tokens that are drawn as one group: a piece of text, or a tile's tag above its visual tokens. */
export interface TokenBlock {
  kind: SegmentKind;
  tile: number | null;
  /** Position and surface text of each token that is drawn as a word. */
  words: { position: number; text: string }[];
  /** Run of visual tokens, drawn as the tile's token grid. */
  visual: { start: number; count: number } | null;
}

/** The decoder's sequence in groups; a tag stays with the visual tokens that follow it. */
export function decoderBlocks(plan: TokenPlan, tokenTexts: Record<number, string>): TokenBlock[] {
  const blocks: TokenBlock[] = [];
  for (const { kind, start, end, tile = null } of plan.segments) {
    const previous = blocks.at(-1);
    if (kind === 'visual') {
      const visual = { start, count: end - start };
      if (previous?.kind === 'tag' && previous.tile === tile && !previous.visual) previous.visual = visual;
      else blocks.push({ kind, tile, words: [], visual });
      continue;
    }
    const words = Array.from(plan.inputIds.subarray(start, end), (id, offset) => ({
      position: start + offset,
      text: tokenTexts[id] ?? `#${id}`,
    }));
    if (previous && previous.kind === kind && kind !== 'tag' && !previous.visual) previous.words.push(...words);
    else if (words.length > 0) blocks.push({ kind, tile, words, visual: null });
  }
  return blocks;
}

/** The keys and values that gated cross-attention reads, tile by tile; in H each behind its tag. */
export function crossBlocks(plan: TokenPlan, tokenTexts: Record<number, string>): TokenBlock[] {
  let position = 0;
  return plan.crossTiles.map((tile, index) => {
    const tagIds = plan.crossTagIds[index] ?? new Int32Array(0);
    const words = Array.from(tagIds, (id, offset) => ({
      position: position + offset,
      text: tokenTexts[id] ?? `#${id}`,
    }));
    const start = position + words.length;
    position = start + plan.tokensPerTile;
    return { kind: words.length > 0 ? 'tag' : 'visual', tile, words, visual: { start, count: plan.tokensPerTile } };
  });
}

/** Whitespace that can be seen, and no word wider than a glance. */
export function visibleText(text: string): string {
  const shown = text.replace(/\n/g, '⏎').replace(/\t/g, '⇥').replace(/ /g, '·') || '∅';
  return shown.length > 24 ? `${shown.slice(0, 22)}…` : shown;
}

/** How many tokens a lane draws. */
export function laneLength(blocks: TokenBlock[]): number {
  return blocks.reduce((sum, { words, visual }) => sum + words.length + (visual?.count ?? 0), 0);
}

export function tokenAt(lane: Lane, blocks: TokenBlock[], position: number): TokenRef | null {
  for (const block of blocks) {
    const word = block.words.find((candidate) => candidate.position === position);
    if (word) return wordRef(lane, block, word);
    const cell = block.visual ? position - block.visual.start : -1;
    if (block.visual && cell >= 0 && cell < block.visual.count) return visualRef(lane, block, position, cell);
  }
  return null;
}

/** First positions of words and visual runs: where the keyboard jumps. */
export function jumpPositions(blocks: TokenBlock[]): number[] {
  return blocks.flatMap(({ words, visual }) => [...(words[0] ? [words[0].position] : []), ...(visual ? [visual.start] : [])]);
}

function wordRef(lane: Lane, block: TokenBlock, word: { position: number; text: string }): TokenRef {
  const kind = block.kind === 'visual' ? 'tag' : block.kind;
  return { lane, position: word.position, kind, tile: block.tile, cell: null, text: word.text };
}

function visualRef(lane: Lane, block: TokenBlock, position: number, cell: number): TokenRef {
  return { lane, position, kind: 'visual', tile: block.tile, cell, text: '' };
}

export interface WordBox extends Rect {
  position: number;
  shown: string;
}

export interface BlockBox {
  block: TokenBlock;
  frame: Rect;
  words: WordBox[];
  visual: Rect | null;
}

export interface LaneLayout {
  boxes: BlockBox[];
  height: number;
}

export const WORD_HEIGHT = 18;
const WORD_GAP = 2;
const BLOCK_GAP = 8;
const TEXT_LINES = 4;
const SHORT_TEXT = 120;
const WIDE_TAG = 170;

/**
 * Flows the groups of a lane into `width`, bottoms aligned. Visual runs are squares of `side` pixels; `measure` gives
 * the width of a word with its padding.
 */
export function layoutLane(blocks: TokenBlock[], width: number, side: number, measure: (shown: string) => number): LaneLayout {
  const hasVisual = blocks.some((block) => block.visual);
  const placed = blocks.map((block) => layoutBlock(block, width, side, hasVisual, measure));
  const boxes: BlockBox[] = [];
  let line: BlockBox[] = [];
  let x = 0;
  let y = 0;
  const endLine = () => {
    const height = Math.max(0, ...line.map((box) => box.frame.height));
    boxes.push(...line.map((box) => shift(box, 0, y + height - box.frame.height)));
    y += height + BLOCK_GAP;
    line = [];
    x = 0;
  };
  for (const box of placed) {
    if (x > 0 && x + box.frame.width > width) endLine();
    line.push(shift(box, x, 0));
    x += box.frame.width + BLOCK_GAP;
  }
  if (line.length > 0) endLine();
  return { boxes, height: Math.max(0, y - BLOCK_GAP) };
}

function layoutBlock(block: TokenBlock, laneWidth: number, side: number, hasVisual: boolean, measure: (shown: string) => number): BlockBox {
  const sized = block.words.map((word) => {
    const shown = visibleText(word.text);
    return { position: word.position, shown, width: Math.min(laneWidth, Math.ceil(measure(shown))) };
  });
  const total = sized.reduce((sum, word) => sum + word.width + WORD_GAP, 0);
  const widest = Math.max(0, ...sized.map((word) => word.width));
  // A tag wraps over its tile; long text becomes a paragraph about as tall as a tile instead of one endless line.
  const overTile = Math.max(side, widest, Math.min(total * 0.55, WIDE_TAG), total / TEXT_LINES);
  const besideTiles = Math.max(Math.min(total, SHORT_TEXT), total / TEXT_LINES + widest / 2);
  const wrapAt = block.visual ? overTile : hasVisual ? besideTiles : laneWidth;
  const words: WordBox[] = [];
  let x = 0;
  let y = 0;
  let right = 0;
  for (const word of sized) {
    if (x > 0 && x + word.width > Math.min(wrapAt, laneWidth)) {
      x = 0;
      y += WORD_HEIGHT + WORD_GAP;
    }
    words.push({ x, y, width: word.width, height: WORD_HEIGHT, position: word.position, shown: word.shown });
    x += word.width + WORD_GAP;
    right = Math.max(right, x - WORD_GAP);
  }
  const wordsHeight = words.length > 0 ? y + WORD_HEIGHT : 0;
  if (!block.visual) return { block, words, visual: null, frame: { x: 0, y: 0, width: right, height: wordsHeight } };
  const top = words.length > 0 ? wordsHeight + WORD_GAP : 0;
  return {
    block,
    words,
    visual: { x: 0, y: top, width: side, height: side },
    frame: { x: 0, y: 0, width: Math.max(side, right), height: top + side },
  };
}

function shift(box: BlockBox, dx: number, dy: number): BlockBox {
  const move = <T extends Rect>(rect: T): T => ({ ...rect, x: rect.x + dx, y: rect.y + dy });
  return {
    block: box.block,
    frame: move(box.frame),
    words: box.words.map(move),
    visual: box.visual && move(box.visual),
  };
}

/** The token under a point of the drawn lane. */
export function tokenUnder(lane: Lane, layout: LaneLayout, x: number, y: number): TokenRef | null {
  const inside = (rect: Rect) => x >= rect.x && x < rect.x + rect.width && y >= rect.y && y < rect.y + rect.height;
  const box = layout.boxes.find((candidate) => inside(candidate.frame));
  if (!box) return null;
  const word = box.words.find(inside);
  if (word) {
    const source = box.block.words.find((candidate) => candidate.position === word.position);
    return source ? wordRef(lane, box.block, source) : null;
  }
  const run = box.block.visual;
  if (!box.visual || !run || !inside(box.visual)) return null;
  const across = Math.round(Math.sqrt(run.count));
  const col = Math.floor(((x - box.visual.x) / box.visual.width) * across);
  const row = Math.floor(((y - box.visual.y) / box.visual.height) * across);
  const cell = row * across + col;
  return cell < run.count ? visualRef(lane, box.block, run.start + cell, cell) : null;
}

/** What a token is, in words: for the read-out line and for screen readers. */
export function describeToken(token: TokenRef, across: number, tileName: (tile: number) => string): string {
  const place = token.lane === 'decoder' ? `Position ${token.position}` : `Cross-attention key ${token.position}`;
  if (token.kind !== 'visual' || token.cell === null) {
    const owner = token.kind === 'tag' && token.tile !== null ? `tag of ${tileName(token.tile)}` : token.kind;
    return `${place}: “${visibleText(token.text)}”, ${owner}`;
  }
  const row = Math.floor(token.cell / across) + 1;
  const col = (token.cell % across) + 1;
  const owner = token.tile === null ? 'image' : tileName(token.tile);
  return `${place}: visual token ${token.cell + 1} of ${owner}, row ${row}, column ${col}`;
}
