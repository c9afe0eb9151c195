import { useCallback, useEffect, useRef, useState } from 'react';
import type { InsideTrace } from '../../engine/inside/inside-api.ts';
import { everyCell, wholeTiles } from '../../engine/inside/regions.ts';
import { toPlainError, type PlainError } from '../../errors.ts';
import { useEngine } from '../state/hooks.ts';

/** What is painted over: every tile by itself, or every cell, on its tile and on the thumbnail both. */
export type WorthOf = 'tiles' | 'cells';

export interface WorthState {
  /** By region, in order: of each token of the answer; null where not known yet. */
  worth: (number[] | null)[];
  running: boolean;
  done: number;
  error: PlainError | null;
}

const NOTHING: WorthState = { worth: [], running: false, done: 0, error: null };
/** Shorter than this nobody need be asked. */
const AT_ONCE_MS = 2500;

/** The worth of regions of one trace. Begins by itself where it is quick; stops with its trace. */
export function useWorth(
  about: InsideTrace | null,
  of: WorthOf,
  wanted: boolean,
): WorthState & { ms: number; start(): void; stop(): void } {
  const engine = useEngine();
  const [state, setState] = useState<WorthState>(NOTHING);
  const running = useRef<AbortController | null>(null);
  const ms = about ? (of === 'tiles' ? about.worthMs : about.cellWorthMs) : 0;

  const start = useCallback(() => {
    if (!about?.layout) return;
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    const { signal } = controller;
    const regions = of === 'tiles' ? wholeTiles(about.layout.tiles.length) : everyCell(about.layout);
    setState({ worth: regions.map(() => null), running: true, done: 0, error: null });
    engine
      .insideWorth(
        { trace: about.trace, regions },
        {
          signal,
          onEvent: ({ region, worth, done }) =>
            !signal.aborted && setState((now) => ({ ...now, done, worth: now.worth.map((known, at) => (at === region ? worth : known)) })),
        },
      )
      .then(() => !signal.aborted && setState((now) => ({ ...now, running: false })))
      .catch((error: unknown) => !signal.aborted && setState((now) => ({ ...now, running: false, error: toPlainError(error) })));
  }, [engine, about, of]);
  const stop = useCallback(() => {
    running.current?.abort();
    setState((now) => ({ ...now, running: false }));
  }, []);

  useEffect(() => {
    setState(NOTHING);
    return () => running.current?.abort();
  }, [about, of]);
  useEffect(() => {
    if (wanted && about?.layout && ms < AT_ONCE_MS) start();
  }, [wanted, about, ms, start]);
  return { ...state, ms, start, stop };
}

/** One number a region: of the chosen token, or summed over the answer. */
export function worthOf(worth: WorthState['worth'], token: number | null): (number | null)[] {
  return worth.map((tokens) => tokens && (token === null ? tokens.reduce((sum, value) => sum + value, 0) : (tokens[token] ?? 0)));
}
