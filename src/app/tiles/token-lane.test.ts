import { describe, expect, it } from 'vitest';
import type { TokenPlan } from '../../text/types.ts';
import { describeSight, maskColumns } from './mask-columns.ts';
import { crossBlocks, decoderBlocks, describeToken, jumpPositions, laneLength, layoutLane, tokenAt, tokenUnder } from './token-lane.ts';

const texts: Record<number, string> = {
  1: '<Image',
  2: '>',
  3: '<tile_1>',
  4: '<tile_2>',
  5: '<tile_global>',
  6: '\n',
  9: 'hi there',
};
const PAD = 100;

/** Three tiles of four tokens each, one tag token a tile. */
function planD(): TokenPlan {
  const visual = Array.from({ length: 4 }, () => PAD);
  const inputIds = Int32Array.from([1, 2, 3, ...visual, 4, ...visual, 5, ...visual, 6, 9]);
  return {
    inputIds,
    labels: new Int32Array(inputIds.length).fill(-100),
    segments: [
      { kind: 'text', start: 0, end: 2 },
      ...[0, 1, 2].flatMap((tile) => [
        { kind: 'tag' as const, start: 2 + tile * 5, end: 3 + tile * 5, tile },
        { kind: 'visual' as const, start: 3 + tile * 5, end: 7 + tile * 5, tile },
      ]),
      { kind: 'text', start: 17, end: 18 },
      { kind: 'answer', start: 18, end: 19 },
    ],
    tokensPerTile: 4,
    sequenceTiles: [0, 1, 2],
    crossTiles: [],
    crossMask: new Uint8Array(0),
    crossTagIds: [],
    counts: { decoderTokens: 19, crossAttentionTokens: 0, visualTokens: 12, tagTokens: 3 },
  };
}

function planH(): TokenPlan {
  const inputIds = Int32Array.from([1, 2, 5, PAD, PAD, PAD, PAD, 6]);
  return {
    ...planD(),
    inputIds,
    segments: [
      { kind: 'text', start: 0, end: 2 },
      { kind: 'tag', start: 2, end: 3, tile: 2 },
      { kind: 'visual', start: 3, end: 7, tile: 2 },
      { kind: 'text', start: 7, end: 8 },
    ],
    sequenceTiles: [2],
    crossTiles: [0, 1],
    crossMask: Uint8Array.from([0, 0, 0, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
    crossTagIds: [Int32Array.of(3), Int32Array.of(4)],
    counts: { decoderTokens: 8, crossAttentionTokens: 10, visualTokens: 12, tagTokens: 3 },
  };
}

const tileName = (tile: number) => `tile ${tile + 1}`;

describe('lanes', () => {
  it('draw every token of the plan exactly once', () => {
    const d = planD();
    const blocks = decoderBlocks(d, texts);
    expect(laneLength(blocks)).toBe(d.counts.decoderTokens);
    const kinds = Array.from({ length: 19 }, (_, position) => tokenAt('decoder', blocks, position)?.kind);
    expect(kinds).toEqual(d.segments.flatMap(({ kind, start, end }) => Array<string>(end - start).fill(kind)));
    expect(tokenAt('decoder', blocks, 19)).toBeNull();
    expect(blocks.map(({ kind }) => kind)).toEqual(['text', 'tag', 'tag', 'tag', 'text', 'answer']);
  });

  it('put H’s tags before their tile among the cross-attention keys', () => {
    const h = planH();
    const blocks = crossBlocks(h, texts);
    expect(laneLength(blocks)).toBe(h.counts.crossAttentionTokens);
    expect(tokenAt('cross', blocks, 5)).toMatchObject({ kind: 'tag', tile: 1, text: '<tile_2>' });
    expect(tokenAt('cross', blocks, 8)).toMatchObject({ kind: 'visual', tile: 1, cell: 2 });
    expect(jumpPositions(blocks)).toEqual([0, 1, 5, 6]);
  });

  it('find under the pointer what they have drawn there', () => {
    const blocks = decoderBlocks(planD(), texts);
    const layout = layoutLane(blocks, 200, 64, (shown) => shown.length * 7 + 6);
    expect(new Set(layout.boxes.map((box) => box.frame.y + box.frame.height)).size).toBeGreaterThan(1);
    for (const box of layout.boxes) {
      expect(box.frame.x + box.frame.width).toBeLessThanOrEqual(200);
      for (const word of box.words) expect(tokenUnder('decoder', layout, word.x + 1, word.y + 1)?.position).toBe(word.position);
      if (!box.visual || !box.block.visual) continue;
      const { x, y, width } = box.visual;
      const found = tokenUnder('decoder', layout, x + width * 0.75, y + width * 0.75);
      expect(found).toMatchObject({ position: box.block.visual.start + 3, cell: 3, tile: box.block.tile });
    }
    expect(tokenUnder('decoder', layout, 199, -5)).toBeNull();
  });

  it('are told in words', () => {
    const blocks = decoderBlocks(planD(), texts);
    const say = (position: number) => describeToken(tokenAt('decoder', blocks, position)!, 2, tileName);
    expect(say(17)).toBe('Position 17: “⏎”, text');
    expect(say(7)).toBe('Position 7: “<tile_2>”, tag of tile 2');
    expect(say(10)).toBe('Position 10: visual token 3 of tile 2, row 2, column 1');
  });
});

describe('mask columns', () => {
  it('fold a run of visual rows that see the same, and no others', () => {
    const columns = maskColumns(planH(), texts);
    expect(columns.map(({ start, end }) => [start, end])).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
      [3, 7],
      [7, 8],
    ]);
    const h = planH();
    h.crossMask[8] = 0;
    expect(maskColumns(h, texts).filter(({ kind }) => kind === 'visual')).toHaveLength(3);
  });

  it('are told in words', () => {
    const said = maskColumns(planH(), texts).map((column) => describeSight(column, [0, 1], tileName));
    expect(said).toEqual(['sees no tile', 'sees no tile', 'sees only tile 1', 'sees all 2 tiles', 'sees all 2 tiles']);
  });
});
