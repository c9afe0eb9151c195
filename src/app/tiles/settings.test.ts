import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TAG_FORMAT_NAMES } from '../../tiling/tags.ts';
import { formatRoute, parseRoute, patchParams } from '../router.ts';
import {
  DEFAULT_SETTINGS,
  GEOMETRIES,
  VIEW_STOPS,
  paramsFromSettings,
  settingsFromParams,
  tileSizeFrom,
  toInspectRequest,
  type TilesSettings,
} from './settings.ts';

const settings: fc.Arbitrary<TilesSettings> = fc.record({
  geometry: fc.constantFrom(...GEOMETRIES),
  maxTiles: fc.option(fc.integer({ min: 1, max: 64 })),
  tileSize: fc.option(fc.integer({ min: 1, max: 32 }).map((n) => n * 28)),
  tagFormat: fc.option(fc.constantFrom(...TAG_FORMAT_NAMES)),
  prompt: fc.string({ unit: 'grapheme', maxLength: 40 }),
  view: fc.constantFrom(...VIEW_STOPS),
});

describe('settings in the address', () => {
  it('come back as they were written, beside parameters of others', () => {
    fc.assert(
      fc.property(settings, (before) => {
        const params = patchParams({ picture: 'note/1' }, paramsFromSettings(before));
        const route = parseRoute(formatRoute({ screen: 'tiles', params }));
        expect(settingsFromParams(route.params)).toEqual(before);
        expect(route.params.picture).toBe('note/1');
      }),
    );
  });

  it('writes nothing for the defaults', () => {
    expect(patchParams({ max: '3', view: 'original' }, paramsFromSettings(DEFAULT_SETTINGS))).toEqual({});
  });

  it('leaves out what no control could have made', () => {
    const strange = { geometry: 'gpt', max: '65', size: '897', tags: '3d', view: 'upside-down' };
    expect(settingsFromParams(strange)).toEqual(DEFAULT_SETTINGS);
    expect(settingsFromParams({ max: '0', size: '0' })).toEqual(DEFAULT_SETTINGS);
    expect(settingsFromParams({ max: '1e1', size: '-28' })).toEqual(DEFAULT_SETTINGS);
  });
});

describe('tile size', () => {
  it('is a multiple of 64 where the model wants that', () => {
    expect(['448', '512', '28', '896', '960'].map((text) => tileSizeFrom(text, 64))).toEqual([448, 512, null, 896, null]);
  });

  it('is a multiple of 28 from 28 to 896', () => {
    expect([' 448 ', '28', '896', '0', '14', '450', '924', 'x', ''].map((text) => tileSizeFrom(text, 28))).toEqual([
      448,
      28,
      896,
      null,
      null,
      null,
      null,
      null,
      null,
    ]);
  });
});

describe('request', () => {
  it('leaves to the geometry what was not chosen', () => {
    const image = new Uint8Array(1);
    expect(toInspectRequest(image, DEFAULT_SETTINGS)).toEqual({ image, model: 'nvlm-1.0-72b' });
    expect(toInspectRequest(image, { ...DEFAULT_SETTINGS, maxTiles: 3, tagFormat: 'none' })).toEqual({
      image,
      model: 'nvlm-1.0-72b',
      maxTiles: 3,
      tagFormat: 'none',
    });
  });
});
