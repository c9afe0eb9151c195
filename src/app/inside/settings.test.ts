import { expect, it } from 'vitest';
import { parseRoute, formatRoute, patchParams } from '../router.ts';
import { paramsFromSettings, settingsFromParams, type InsideSettings } from './settings.ts';

const SETTINGS: InsideSettings = {
  question: 'Read the code; at 100 %, please & thanks.',
  system: 'Answer briefly.',
  maxTiles: 4,
  turns: [['What is it?', 'A note, "quoted".']],
  said: [4, 17, 99],
  adapters: [{ id: 'ring', strength: 0.8 }],
  changes: { gates: { 1: 0, 3: 1 }, hide: [2], order: [2, 0, 1], tagFormat: '2d-grid' },
  token: 2,
  layer: 3,
  head: 0,
  how: 'max',
  show: 'worth',
  view: 'tiles',
  lensLayer: 1,
};

it('comes back from the address as it went in', () => {
  const hash = formatRoute({ screen: 'inside', params: patchParams({}, paramsFromSettings(SETTINGS)) });
  expect(settingsFromParams(parseRoute(hash).params)).toEqual(SETTINGS);
});

it('leaves what makes no sense at its default', () => {
  const params = {
    said: '1,x',
    max: '0',
    turns: '{"a":1}',
    gates: '1:7',
    hide: '-1',
    order: '',
    tags: 'emoji',
    token: '1e9',
    layer: 'x',
    how: 'sum',
    show: 'all',
    view: '',
    lens: '99999',
  };
  expect(settingsFromParams(params)).toEqual({
    question: '',
    system: '',
    maxTiles: null,
    turns: [],
    said: null,
    adapters: [],
    changes: {},
    token: null,
    layer: null,
    head: null,
    how: 'mean',
    show: 'look',
    view: 'joined',
    lensLayer: null,
  });
});
