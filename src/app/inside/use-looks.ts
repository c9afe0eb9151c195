import { useEffect, useState } from 'react';
import type { AttentionKind, HeadAttention, InsideTrace } from '../../engine/inside/inside-api.ts';
import { toPlainError, type PlainError } from '../../errors.ts';
import { useEngine } from '../state/hooks.ts';
import { KINDS, rowsOf, type Looks } from './cells.ts';
import { settled } from './settled.ts';

/** More numbers than this of single heads are not fetched at once: a large model is looked at layer by layer. */
const MOST_HEAD_VALUES = 16 * 1024 * 1024;

interface Choice {
  layer: number | null;
  head: number | null;
  how: 'mean' | 'max';
}

/** Attention of every row of a trace, the chosen layers and heads put together. The view before stays until the next is there. */
export function useLooks(about: InsideTrace | null, { layer, head, how }: Choice): { looks: Looks | null; error: PlainError | null } {
  const engine = useEngine();
  const [state, setState] = useState<{ looks: Looks | null; error: PlainError | null; of: InsideTrace | null }>({
    looks: null,
    error: null,
    of: null,
  });
  useEffect(() => {
    if (!about) return;
    const { signal, end } = settled();
    const read = async () => {
      const looks: Looks = { self: null, cross: null };
      for (const kind of KINDS) {
        const layers = chosen(about.layers[kind], layer);
        if (layers.length === 0) continue;
        const rows = about.rows.map((_, row) => row);
        const heads = head !== null && head < about.heads ? [head] : undefined;
        looks[kind] = await engine.insideAttention({ trace: about.trace, kind, layers, heads, rows, how }, { signal });
      }
      if (!signal.aborted) setState({ looks, error: null, of: about });
    };
    read().catch((error: unknown) => !signal.aborted && setState({ looks: null, error: toPlainError(error), of: about }));
    return end;
  }, [engine, about, layer, head, how]);
  return state.of === about ? state : { looks: null, error: null };
}

export type Heads = Record<AttentionKind, HeadAttention | null>;

/** Attention of every head by itself, the mean over the chosen token or the whole answer; of one layer where all would be too much. */
export function useHeads(about: InsideTrace | null, token: number | null, layer: number | null): Heads | null {
  const engine = useEngine();
  const [state, setState] = useState<{ heads: Heads | null; of: InsideTrace | null }>({ heads: null, of: null });
  useEffect(() => {
    if (!about?.layout) return;
    const { signal, end } = settled();
    const read = async () => {
      const heads: Heads = { self: null, cross: null };
      for (const kind of KINDS) {
        if (!about.keys[kind].some(({ owner }) => owner === 'tile' || owner === 'thumbnail')) continue;
        const all = about.layers[kind];
        const keys = about.keys[kind].at(-1)?.end ?? 0;
        const layers = all.length * about.heads * keys > MOST_HEAD_VALUES ? all.filter((one) => one === (layer ?? all.at(-1))) : all;
        if (layers.length === 0) continue;
        heads[kind] = await engine.insideHeads({ trace: about.trace, kind, layers, rows: rowsOf(about, token) }, { signal });
      }
      if (!signal.aborted) setState({ heads, of: about });
    };
    // What went wrong is said beside the picture, which asks the same of the same trace.
    read().catch(() => undefined);
    return end;
  }, [engine, about, token, layer]);
  return state.of === about ? state.heads : null;
}

function chosen(all: readonly number[], layer: number | null): number[] {
  return layer === null ? [...all] : all.filter((one) => one === layer);
}
