import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { NvlmConfig } from '../../nvlm/config.ts';
import { parseConfig } from '../../nvlm/parse-config.ts';
import { createChatTemplate } from '../../text/chat-template.ts';
import { createTokenizer } from '../../text/tokenizer.ts';
import { encodePng } from '../../tiling/encode-png.ts';
import type { RgbImage } from '../../tiling/types.ts';
import { geometryOfModel, nvlm72bGeometry, type Geometry } from './geometries.ts';
import { inspectImage, inspectPicture } from './inspect.ts';
import { inspectionJson } from './inspection-json.ts';

const geometry = nvlm72bGeometry();

function picture(width: number, height: number): RgbImage {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 7) % 251);
  return { width, height, data };
}

describe('inspect, NVLM-1.0 72B', () => {
  it('says what of a picture a model sees otherwise than people do', async () => {
    const file = (name: string) => new Uint8Array(readFileSync(new URL(`../../../tests/fixtures/tiling/files/${name}`, import.meta.url)));
    expect((await inspectImage(file('grey-16bit.png'), geometry)).notice).toContain('grey of 16 bits');
    expect((await inspectImage(file('grey.png'), geometry)).notice).toBeNull();
  });

  it('counts six tiles and a thumbnail as the paper does: 7 · 256 visual tokens, five tokens a tag', () => {
    const { tokens, costs, tiling, plans } = inspectPicture(picture(300, 200), geometry);
    expect(tiling.tiles).toHaveLength(7);
    expect(tokens).toEqual({ perTile: 256, visual: 1792, tags: 35 });
    // `<Image>` is two tokens and `</Image>` three; a layer keeps 2 · 8 · 128 values of two bytes a token: 4096 bytes.
    expect(costs.D).toEqual({ decoderTokens: 2 + 7 * 261 + 3, crossAttentionTokens: 0, kvBytes: 1832 * 80 * 4096 });
    expect(costs.X).toEqual({
      decoderTokens: 2 + 35 + 3,
      crossAttentionTokens: 1792,
      kvBytes: (40 * 80 + 1792 * 10) * 4096,
    });
    expect(costs.H).toEqual({
      decoderTokens: 2 + 261 + 3,
      crossAttentionTokens: 6 * 261,
      kvBytes: (266 * 80 + 1566 * 10) * 4096,
    });
    for (const arch of ['D', 'X', 'H'] as const) expect(costs[arch].decoderTokens).toBe(plans[arch].inputIds.length);
  });

  it('gives a one-tile picture no thumbnail, and H nothing to cross-attend', () => {
    const { tokens, costs, tiling } = inspectPicture(picture(60, 60), geometry);
    expect(tiling.tiles.map(({ tag }) => tag)).toEqual(['<tile_global_thumbnail>']);
    expect(tokens).toEqual({ perTile: 256, visual: 256, tags: 5 });
    expect(costs.H).toEqual({ ...costs.D, crossAttentionTokens: 0 });
    expect(costs.X.crossAttentionTokens).toBe(256);
  });

  it('follows its options', () => {
    const {
      tokens,
      tiling,
      geometry: used,
    } = inspectPicture(picture(300, 200), geometry, {
      tileSize: 112,
      maxTiles: 12,
      tagFormat: 'none',
    });
    expect(tiling.canvas).toMatchObject({ width: 3 * 112, height: 2 * 112 });
    expect(tokens).toEqual({ perTile: 16, visual: 7 * 16, tags: 0 });
    expect(used).toEqual({
      model: 'nvlm-1.0-72b',
      title: 'NVLM-1.0 72B',
      architecture: 'D',
      tileSize: 112,
      maxTiles: 12,
      mostTiles: 12,
      tileStep: 28,
      tagFormat: 'none',
    });
  });

  it('can spell every token that it shows', () => {
    const { plans, tokenTexts, tiling } = inspectPicture(picture(300, 200), geometry, { tagFormat: '2d-bbox' });
    const tag = plans.H.crossTagIds[1]!;
    expect([...tag].map((id) => tokenTexts[id]).join('')).toBe(tiling.tiles[1]!.tag);
    for (const id of plans.D.inputIds) expect(tokenTexts[id]).toBeTypeOf('string');
  });

  it('refuses what cannot be cut', async () => {
    expect(() => inspectPicture(picture(30, 20), geometry, { tileSize: 100 })).toThrowError(/tile size cannot be 100/);
    expect(() => inspectPicture(picture(30, 20), geometry, { maxTiles: 13 })).toThrowError(/cannot be 13/);
    await expect(inspectImage(new Uint8Array([1, 2, 3]), geometry)).rejects.toMatchObject({ code: 'bad-image' });
  });
});

describe('inspect, a model folder', () => {
  /** The golden NVLM-X, whose configuration has cross-attention in every second of its layers. */
  function goldenX(change: Partial<NvlmConfig> = {}): Geometry {
    const read = (file: string): unknown =>
      JSON.parse(readFileSync(new URL(`../../../tests/fixtures/goldens/nvlm-x/${file}`, import.meta.url), 'utf8'));
    const config = { ...parseConfig(read('config.json')), ...change };
    const tokenizer = createTokenizer(read('tokenizer.json'), read('tokenizer_config.json'));
    const chatTemplate = createChatTemplate(read('tokenizer_config.json'));
    const imageTokenId = tokenizer.idOf('<|vision_pad|>') ?? null;
    return geometryOfModel({ id: 'golden-x', title: 'Golden X', config, tokenizer, chatTemplate, imageTokenId });
  }

  it('plans the whole prompt when there is one, the image alone when there is none', () => {
    const golden = goldenX();
    const alone = inspectPicture(picture(90, 60), golden);
    const asked = inspectPicture(picture(90, 60), golden, { prompt: 'What is this?' });
    expect(asked.costs.X.crossAttentionTokens).toBe(alone.costs.X.crossAttentionTokens);
    const said = (ids: Int32Array) => [...ids].map((id) => asked.tokenTexts[id]).join('');
    expect(said(alone.plans.X.inputIds)).toMatch(/^<Image>.*<\/Image>$/);
    expect(said(asked.plans.X.inputIds)).toContain('What is this?');
    expect(said(asked.plans.X.inputIds)).toContain(said(alone.plans.X.inputIds));
  });

  it('counts the layers that its configuration gives to cross-attention', () => {
    const golden = goldenX();
    expect([golden.layers, golden.crossAttentionLayers]).toEqual([4, 2]);
  });

  it('has nothing to say about text models', () => {
    expect(() => goldenX({ vision: null })).toThrowError(/text model/);
  });
});

describe('inspection JSON', () => {
  it('has the shape of the command line’s contract and no pixels', async () => {
    const bytes = await encodePng(picture(90, 60));
    const json = inspectionJson(await inspectImage(bytes, geometry, { tileSize: 28 }));
    expect(JSON.parse(JSON.stringify(json))).toEqual(json);
    expect(Object.keys(json)).toEqual(['image', 'grid', 'candidates', 'canvas', 'tiles', 'tokens', 'architectures']);
    expect(json).toMatchObject({
      image: { width: 90, height: 60 },
      grid: { cols: 3, rows: 2 },
      canvas: { width: 84, height: 56 },
    });
    expect(json.candidates).toHaveLength(14);
    expect(json.candidates.filter(({ chosen }) => chosen)).toEqual([{ cols: 3, rows: 2, difference: 0, chosen: true }]);
    expect(json.tiles[4]).toEqual({
      index: 4,
      tag: '<tile_5>',
      col: 1,
      row: 1,
      box: { x: 28, y: 28, width: 28, height: 28 },
      thumbnail: false,
    });
    expect(json.tiles.at(-1)).toMatchObject({ tag: '<tile_global_thumbnail>', thumbnail: true });
    expect(Object.keys(json.architectures)).toEqual(['D', 'X', 'H']);
  });
});
