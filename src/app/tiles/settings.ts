import type { InspectRequest } from '../../engine/api.ts';
import { MAX_TILES_ANYWHERE } from '../../tiling/tile-limits.ts';
import { TAG_FORMAT_NAMES, type TagFormat } from '../../tiling/tags.ts';
import { parseModelAddress } from '../../engine/models/model-address.ts';
import type { RouteParams } from '../router.ts';

/** How far the picture is pulled apart: 0 its own proportions, 1 squashed onto the canvas, 2 cut into tiles. */
export const VIEW_STOPS = ['original', 'resized', 'tiles'] as const;
export type ViewStop = (typeof VIEW_STOPS)[number];

export const GEOMETRIES = ['nvlm-1.0-72b', 'nano-d', 'nano-x', 'nano-h'] as const;
/** One of these, or the address of a model of the visitor's own. */
export type GeometryId = (typeof GEOMETRIES)[number] | (string & {});

/** Largest side offered here: 12 such tiles are 29 MB of pixels to move and to draw. */
export const LARGEST_TILE_SIZE = 896;
const LONGEST_PROMPT = 2000;

/** What the inspector was asked to show. null: as the geometry has it. */
export interface TilesSettings {
  geometry: GeometryId;
  maxTiles: number | null;
  tileSize: number | null;
  tagFormat: TagFormat | null;
  prompt: string;
  view: ViewStop;
}

export const DEFAULT_SETTINGS: TilesSettings = {
  geometry: 'nvlm-1.0-72b',
  maxTiles: null,
  tileSize: null,
  tagFormat: null,
  prompt: '',
  view: 'tiles',
};

/** Reads the address; whatever is not a setting that the controls could make for any model is left at its default. */
export function settingsFromParams(params: RouteParams): TilesSettings {
  return {
    geometry: oneOf(GEOMETRIES, params.geometry) ?? ownModel(params.geometry) ?? DEFAULT_SETTINGS.geometry,
    maxTiles: wholeNumber(params.max, 1, MAX_TILES_ANYWHERE),
    tileSize: tileSizeFrom(params.size ?? '', 1),
    tagFormat: oneOf(TAG_FORMAT_NAMES, params.tags),
    prompt: (params.prompt ?? '').slice(0, LONGEST_PROMPT),
    view: oneOf(VIEW_STOPS, params.view) ?? DEFAULT_SETTINGS.view,
  };
}

/** The patch of address parameters that makes {@link settingsFromParams} read `settings` again; null removes one. */
export function paramsFromSettings(settings: TilesSettings): Record<string, string | number | null> {
  return {
    geometry: settings.geometry === DEFAULT_SETTINGS.geometry ? null : settings.geometry,
    max: settings.maxTiles,
    size: settings.tileSize,
    tags: settings.tagFormat,
    prompt: settings.prompt || null,
    view: settings.view === DEFAULT_SETTINGS.view ? null : settings.view,
  };
}

/** @param step what the model's tile sizes are multiples of @returns null when the text is no such size, or one too large to show */
export function tileSizeFrom(text: string, step: number): number | null {
  const size = wholeNumber(text.trim(), step, LARGEST_TILE_SIZE);
  return size !== null && size % step === 0 ? size : null;
}

export function toInspectRequest(image: Uint8Array, settings: Omit<TilesSettings, 'view'>): InspectRequest {
  const request: InspectRequest = { image, model: settings.geometry };
  if (settings.maxTiles !== null) request.maxTiles = settings.maxTiles;
  if (settings.tileSize !== null) request.tileSize = settings.tileSize;
  if (settings.tagFormat !== null) request.tagFormat = settings.tagFormat;
  if (settings.prompt) request.prompt = settings.prompt;
  return request;
}

/** Files that were dropped have no address that leads back to them, but are known for as long as the tab lives. */
function ownModel(id: string | undefined): string | null {
  return id !== undefined && (id.startsWith('files:') || parseModelAddress(id) !== null) ? id : null;
}

function oneOf<T extends string>(allowed: readonly T[], value: string | undefined): T | null {
  return allowed.find((option) => option === value) ?? null;
}

function wholeNumber(text: string | undefined, minimum: number, maximum: number): number | null {
  if (text === undefined || !/^\d{1,6}$/.test(text)) return null;
  const value = Number(text);
  return value >= minimum && value <= maximum ? value : null;
}
