import { startTransition, useEffect, useRef, useState } from 'react';
import type { TilePicture } from '../../../workers/bitmaps.ts';
import type { Inspection } from '../../engine/api.ts';
import { toPlainError, type PlainError } from '../../errors.ts';
import { useEngine, usePictures } from '../state/hooks.ts';
import type { SharedImage } from '../state/image-slice.ts';
import { resetFocus } from './focus-store.ts';
import { toInspectRequest, type TilesSettings } from './settings.ts';
import { drawTiles } from './tile-pictures.ts';

/** One consistent view: everything that is drawn comes from here and changes at once. */
export interface Shown {
  image: SharedImage;
  /** Without the pixels of its tiles: they became `pictures`. */
  inspection: Inspection;
  pictures: TilePicture[];
  /** The picture before any resize; null when the browser cannot decode it (the tiles are drawn in its place). */
  original: ImageBitmap | null;
  /** Visual tokens along a side of a tile. */
  across: number;
}

export interface InspectionState {
  shown: Shown | null;
  pending: boolean;
  error: PlainError | null;
}

const LARGEST_DISPLAY_SIDE = 1600;
/** A slider sends many values a second; the worker is asked for the last of them. */
const SETTLE_MS = 40;

/**
 * Inspects `image` in the worker whenever it or a setting changes. Until the answer is drawn, and after an error, the
 * view before stays.
 */
export function useInspection(image: SharedImage | null, settings: TilesSettings): InspectionState {
  const engine = useEngine();
  const pictures = usePictures();
  const [state, setState] = useState<InspectionState>({ shown: null, pending: false, error: null });
  const originals = useRef<{ id: number; bitmap: Promise<ImageBitmap | null> } | null>(null);
  const { geometry, maxTiles, tileSize, tagFormat, prompt } = settings;

  useEffect(() => {
    if (!image) {
      setState({ shown: null, pending: false, error: null });
      return;
    }
    const controller = new AbortController();
    const { signal } = controller;
    setState((before) => ({ ...before, pending: true }));
    const inspect = async () => {
      if (originals.current?.id !== image.id) {
        const file = new Blob([image.bytes as Uint8Array<ArrayBuffer>], { type: image.type });
        originals.current = { id: image.id, bitmap: pictures.display(file, LARGEST_DISPLAY_SIDE) };
      }
      const request = toInspectRequest(image.bytes, { geometry, maxTiles, tileSize, tagFormat, prompt });
      const inspection = await engine.inspect(request, { signal });
      const across = Math.round(Math.sqrt(inspection.tokens.perTile));
      const tiles = await drawTiles(pictures, inspection.tiling, across, signal);
      const original = await originals.current.bitmap;
      if (signal.aborted) return;
      resetFocus();
      const shown = { image, inspection, pictures: tiles, original, across };
      // Rendered in slices: a new cut redraws the whole screen.
      startTransition(() => setState({ shown, pending: false, error: null }));
    };
    const timer = setTimeout(() => {
      inspect().catch((error: unknown) => {
        if (!signal.aborted) setState((before) => ({ ...before, pending: false, error: toPlainError(error) }));
      });
    }, SETTLE_MS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [engine, pictures, image, geometry, maxTiles, tileSize, tagFormat, prompt]);

  return state;
}
