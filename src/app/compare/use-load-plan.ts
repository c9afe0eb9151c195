import { useEffect, useState } from 'react';
import { formatBytes } from '../format.ts';
import { useApp, useEngine } from '../state/hooks.ts';
import { parseModelAddress } from '../../engine/models/model-address.ts';
import type { Contender } from './contenders.ts';

/** In words, what the contenders need in memory and in which order they come; null until it is known. */
export function useLoadPlan(contenders: readonly Contender[]): string | null {
  const engine = useEngine();
  const models = useApp((state) => state.models);
  const [words, setWords] = useState<string | null>(null);
  const ids = [...new Set(contenders.map(({ model }) => model))].join();
  useEffect(() => {
    const controller = new AbortController();
    setWords(null);
    const read = async () => {
      const needs: number[] = [];
      for (const id of ids.split(',')) {
        const source = models?.find((entry) => entry.id === id)?.source ?? parseModelAddress(id);
        if (!source) continue;
        const { bytes } = await engine.plan(source, { signal: controller.signal });
        needs.push(bytes.total);
      }
      if (controller.signal.aborted || needs.length === 0) return;
      const [most, together] = [Math.max(...needs), needs.reduce((sum, need) => sum + need, 0)];
      setWords(
        needs.length === 1
          ? `One model, about ${formatBytes(most)} while it answers.`
          : `Loaded one after the other, about ${formatBytes(most)} at a time: together they would need ${formatBytes(together)}.`,
      );
    };
    // A model that cannot be planned says why in its own column.
    read().catch(() => undefined);
    return () => controller.abort();
  }, [engine, ids, models]);
  return words;
}
