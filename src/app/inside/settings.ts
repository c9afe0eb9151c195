import type { InsideChanges } from '../../engine/inside/inside-api.ts';
import type { AdapterUse } from '../../engine/runs/training-api.ts';
import { MAX_TILES_ANYWHERE } from '../../tiling/tile-limits.ts';
import { TAG_FORMAT_NAMES } from '../../tiling/tags.ts';
import { formatAdapters, parseAdapters } from '../state/adapter-slice.ts';
import { LONGEST_SYSTEM } from '../state/settings-slice.ts';
import type { RouteParams } from '../router.ts';

/** What is drawn on the picture. */
export const SHOWS = ['look', 'worth', 'cells', 'lens'] as const;
export type Show = (typeof SHOWS)[number];
export const VIEWS = ['joined', 'tiles'] as const;
export type View = (typeof VIEWS)[number];

/** Everything that makes the view what it is, but for model and picture, which all screens share. */
export interface InsideSettings {
  question: string;
  /** The system turn before the conversation; empty: none of one's own. */
  system: string;
  /** Most regular tiles; null: as the model has it. */
  maxTiles: number | null;
  /** Earlier turns of the conversation: question and answer. */
  turns: [string, string][];
  /** The answer's tokens as they were said in Chat; null: the model answers, greedily. */
  said: number[] | null;
  adapters: AdapterUse[];
  changes: InsideChanges;
  /** Which token of the answer; null: the whole answer. */
  token: number | null;
  /** null: all of them, put together. */
  layer: number | null;
  head: number | null;
  how: 'mean' | 'max';
  show: Show;
  view: View;
  lensLayer: number | null;
}

const LONGEST_QUESTION = 2000;
const MOST_TOKENS = 1024;
const MOST_TURNS = 16;

/** Reads the address; whatever makes no sense is left at its default. */
export function settingsFromParams(params: RouteParams): InsideSettings {
  return {
    question: (params.prompt ?? '').slice(0, LONGEST_QUESTION),
    system: (params.system ?? '').slice(0, LONGEST_SYSTEM),
    maxTiles: tilesFrom(params.max),
    turns: turnsFrom(params.turns),
    said: numbersFrom(params.said, MOST_TOKENS),
    adapters: parseAdapters(params.with ?? ''),
    changes: changesFrom(params),
    token: wholeNumber(params.token),
    layer: wholeNumber(params.layer),
    head: wholeNumber(params.head),
    how: params.how === 'max' ? 'max' : 'mean',
    show: SHOWS.find((one) => one === params.show) ?? 'look',
    view: VIEWS.find((one) => one === params.view) ?? 'joined',
    lensLayer: wholeNumber(params.lens),
  };
}

/** The patch of parameters that {@link settingsFromParams} reads as `settings`. */
export function paramsFromSettings(settings: InsideSettings): Record<string, string | number | null> {
  const { gates, hide, order, tagFormat } = settings.changes;
  return {
    prompt: settings.question || null,
    system: settings.system || null,
    max: settings.maxTiles,
    turns: settings.turns.length > 0 ? JSON.stringify(settings.turns) : null,
    said: settings.said?.join(',') ?? null,
    with: formatAdapters(settings.adapters.map((use) => ({ ...use, on: true }))) || null,
    gates:
      Object.entries(gates ?? {})
        .map(([layer, value]) => `${layer}:${value}`)
        .join(',') || null,
    hide: hide?.join(',') || null,
    order: order?.join(',') || null,
    tags: tagFormat ?? null,
    token: settings.token,
    layer: settings.layer,
    head: settings.head,
    how: settings.how === 'max' ? 'max' : null,
    show: settings.show === 'look' ? null : settings.show,
    view: settings.view === 'joined' ? null : settings.view,
    lens: settings.lensLayer,
  };
}

export function isChanged({ gates, hide, order, tagFormat }: InsideChanges): boolean {
  return Object.keys(gates ?? {}).length > 0 || (hide?.length ?? 0) > 0 || order !== undefined || tagFormat !== undefined;
}

function changesFrom({ gates, hide, order, tags }: RouteParams): InsideChanges {
  const changes: InsideChanges = {};
  const pairs = [...(gates ?? '').matchAll(/(\d{1,3}):(-?[01](?:\.\d{1,6})?)(?:,|$)/g)];
  if (pairs.length > 0) changes.gates = Object.fromEntries(pairs.map(([, layer, value]) => [Number(layer), Number(value)]));
  const hidden = numbersFrom(hide, 64);
  if (hidden) changes.hide = hidden;
  const placed = numbersFrom(order, 64);
  if (placed) changes.order = placed;
  const tagFormat = TAG_FORMAT_NAMES.find((one) => one === tags);
  if (tagFormat) changes.tagFormat = tagFormat;
  return changes;
}

function turnsFrom(text: string | undefined): [string, string][] {
  if (!text) return [];
  try {
    const turns = JSON.parse(text) as unknown;
    if (!Array.isArray(turns)) return [];
    return turns
      .filter(
        (turn): turn is [string, string] =>
          Array.isArray(turn) && turn.length === 2 && turn.every((side) => typeof side === 'string' && side.length <= LONGEST_QUESTION),
      )
      .slice(0, MOST_TURNS);
  } catch {
    return [];
  }
}

function numbersFrom(text: string | undefined, most: number): number[] | null {
  if (!text || !/^\d{1,7}(,\d{1,7})*$/.test(text)) return null;
  const numbers = text.split(',').map(Number);
  return numbers.length <= most ? numbers : null;
}

function tilesFrom(text: string | undefined): number | null {
  const most = wholeNumber(text);
  return most !== null && most >= 1 && most <= MAX_TILES_ANYWHERE ? most : null;
}

function wholeNumber(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,4}$/.test(text) ? Number(text) : null;
}
