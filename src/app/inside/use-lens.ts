import { useCallback, useEffect, useRef, useState } from 'react';
import type { InsideTrace, LensLayer } from '../../engine/inside/inside-api.ts';
import { toPlainError, type PlainError } from '../../errors.ts';
import { useEngine } from '../state/hooks.ts';

const AT_ONCE_MS = 2500;

export interface LensState {
  lens: LensLayer | null;
  running: boolean;
  error: PlainError | null;
}

/** What the cells say after one layer; kept for the layers that were looked at. */
export function useLens(about: InsideTrace | null, layer: number, wanted: boolean): LensState & { start(): void; stop(): void } {
  const engine = useEngine();
  const known = useRef(new Map<number, LensLayer>());
  const [state, setState] = useState<LensState>({ lens: null, running: false, error: null });
  const running = useRef<AbortController | null>(null);
  const start = useCallback(() => {
    if (!about) return;
    running.current?.abort();
    const { signal } = (running.current = new AbortController());
    setState({ lens: null, running: true, error: null });
    engine
      .insideLens(about.trace, [layer], { signal })
      .then(([lens]) => {
        if (signal.aborted || !lens) return;
        known.current.set(layer, lens);
        setState({ lens, running: false, error: null });
      })
      .catch((error: unknown) => !signal.aborted && setState({ lens: null, running: false, error: toPlainError(error) }));
  }, [engine, about, layer]);
  const stop = useCallback(() => {
    running.current?.abort();
    setState({ lens: null, running: false, error: null });
  }, []);
  useEffect(() => {
    known.current = new Map();
    return () => running.current?.abort();
  }, [about]);
  useEffect(() => {
    if (!wanted || !about?.hasLens) return;
    const before = known.current.get(layer);
    if (before) setState({ lens: before, running: false, error: null });
    else if (about.lensMs < AT_ONCE_MS) start();
    else setState({ lens: null, running: false, error: null });
  }, [wanted, about, layer, start]);
  return { ...state, start, stop };
}
