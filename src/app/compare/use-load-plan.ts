import { useCallback, useEffect, useRef, useState } from 'react';
import { fitTogether } from '../../engine/models/fit-together.ts';
import { parseModelAddress } from '../../engine/models/model-address.ts';
import { formatBytes } from '../format.ts';
import { useApp, useEngine } from '../state/hooks.ts';
import type { Contender } from './contenders.ts';

export interface LoadPlan {
  /** What the contenders need in memory, and whether they stay there together or come one after the other. */
  words: string;
  together: boolean;
}

/** How the contenders come into memory; null until it is known. @returns `known` waits for that: whether they stay together */
export function useLoadPlan(contenders: readonly Contender[]): { plan: LoadPlan | null; known(): Promise<boolean> } {
  const engine = useEngine();
  const models = useApp((state) => state.models);
  const backend = useApp((state) => state.device?.backend);
  const [plan, setPlan] = useState<LoadPlan | null>(null);
  const making = useRef<Promise<LoadPlan | null>>(Promise.resolve(null));
  const ids = [...new Set(contenders.map(({ model }) => model))].join();
  // Of the list, what a plan hangs on: it is new after every load.
  const sources = JSON.stringify(
    ids.split(',').map((id) => models?.find((entry) => entry.id === id)?.settings ?? (models ? null : 'unknown')),
  );
  useEffect(() => {
    const controller = new AbortController();
    setPlan(null);
    const read = async () => {
      const plans = [];
      for (const id of ids.split(',')) {
        const entry = models?.find((one) => one.id === id);
        const source = entry?.source ?? parseModelAddress(id);
        if (source) plans.push(await engine.plan(source, { ...entry?.settings, signal: controller.signal }));
      }
      if (controller.signal.aborted || plans.length === 0) return null;
      const made = planOf(plans);
      setPlan(made);
      return made;
    };
    // A model that cannot be planned says why in its own column.
    making.current = read().catch(() => null);
    return () => controller.abort();
  }, [engine, ids, backend, sources]);
  const known = useCallback(async () => (await making.current)?.together ?? false, []);
  return { plan, known };
}

function planOf(plans: Parameters<typeof fitTogether>[0]): LoadPlan {
  const { bytes, mostAlone, limit, fits } = fitTogether(plans);
  if (plans.length === 1) return { words: `One model, about ${formatBytes(mostAlone)} while it answers.`, together: true };
  if (fits)
    return {
      words: `All ${plans.length} stay in memory together, about ${formatBytes(bytes)}; another question loads none of them again.`,
      together: true,
    };
  return {
    words: `Loaded one after the other, about ${formatBytes(mostAlone)} at a time: together they would need ${formatBytes(bytes)}, and ${formatBytes(limit)} are allowed here.`,
    together: false,
  };
}
