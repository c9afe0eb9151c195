import { readFileSync } from 'node:fs';
import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { FONT_OUTLINES } from './glyphs.ts';
import { MASK, glyphMask, shapeMask } from './masks.ts';
import type { Mask } from './masks.ts';
import { CHARACTERS } from './vocabulary.ts';
import type { ShapeKind } from './vocabulary.ts';

interface PillowMask {
  font?: string;
  character?: string;
  shape?: ShapeKind;
  size: number;
  /** base64 of deflated bytes, MASK × MASK, 255 = covered. */
  mask: string;
}

/** Drawn by Pillow (FreeType, hinted; shapes drawn four times as large and made smaller). */
const fixture = JSON.parse(readFileSync(new URL('../../tests/fixtures/desk/pillow-masks.json', import.meta.url), 'utf8')) as PillowMask[];

/** Sum of absolute differences over the sum of what Pillow covers. */
function difference(mask: Mask, pillow: PillowMask): number {
  const want = inflateSync(Buffer.from(pillow.mask, 'base64'));
  expect(want.length).toBe(mask.length);
  let [apart, covered] = [0, 0];
  for (const [i, byte] of want.entries()) {
    apart += Math.abs(byte - (mask[i] ?? 0));
    covered += byte;
  }
  return apart / covered;
}

function draw({ font, character, shape, size }: PillowMask): Mask {
  if (shape) return shapeMask(shape, size);
  return glyphMask(
    FONT_OUTLINES.findIndex(({ id }) => id === font),
    size,
    character ?? '',
  );
}

describe('masks', () => {
  it('draws glyphs nearly as FreeType does', () => {
    const glyphs = fixture.filter((entry) => entry.font).map((entry) => difference(draw(entry), entry));
    expect(glyphs.length).toBe(36);
    // Unhinted outlines are 0.14 apart, a shift of one pixel 0.6.
    expect(glyphs.reduce((sum, d) => sum + d, 0) / glyphs.length).toBeLessThan(0.12);
    expect(Math.max(...glyphs)).toBeLessThan(0.45);
  });

  it('draws shapes as Pillow does', () => {
    const shapes = fixture.filter((entry) => entry.shape);
    expect(shapes.length).toBe(12);
    for (const entry of shapes) expect(difference(draw(entry), entry), `${entry.shape} ${entry.size}`).toBeLessThan(0.1);
  });

  it('has every character in every font, big enough to read and inside the mask', () => {
    expect(FONT_OUTLINES.length).toBeGreaterThanOrEqual(12);
    for (const [font, { id }] of FONT_OUTLINES.entries()) {
      for (const character of CHARACTERS) {
        const mask = glyphMask(font, 27, character);
        const ink = mask.reduce((sum, c) => sum + c, 0) / 255;
        const edge = mask.filter((_, i) => i % MASK === 0 || i % MASK === MASK - 1 || i < MASK || i >= MASK * (MASK - 1));
        expect(ink, `${id} ${character}`).toBeGreaterThan(character === '.' ? 4 : 40);
        expect(
          edge.every((c) => c === 0),
          `${id} ${character} touches the edge`,
        ).toBe(true);
      }
    }
  });

  it('draws the characters of one font differently', () => {
    for (const font of FONT_OUTLINES.keys()) {
      const seen = new Set([...CHARACTERS].map((character) => glyphMask(font, 24, character).join()));
      expect(seen.size).toBe(CHARACTERS.length);
    }
  });
});
