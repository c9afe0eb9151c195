import { useEffect, useRef, useState } from 'react';
import { useAppStore, useEngine, usePictures } from '../state/hooks.ts';
import { keyOf, type Contender } from './contenders.ts';
import { BLANK, compare, type Asked, type Column, type CompareTools } from './run-compare.ts';

export function useCompareTools(): CompareTools {
  const [engine, pictures, store] = [useEngine(), usePictures(), useAppStore()];
  return { engine, pictures, store };
}

/** Runs work on the models one after the other, and afterwards selects the model again that was selected before. */
export function useModelsInTurn(): { running: boolean; run(work: (signal: AbortSignal) => Promise<void>): void; stop(): void } {
  const store = useAppStore();
  const [running, setRunning] = useState(false);
  const controller = useRef<AbortController | null>(null);
  useEffect(() => () => controller.current?.abort(), []);
  return {
    running,
    run(work) {
      if (controller.current) return;
      const mine = new AbortController();
      controller.current = mine;
      const before = store.getState().selectedModel;
      setRunning(true);
      // Each failure stands in its own column; only that it was stopped comes out here.
      void work(mine.signal)
        .catch(() => undefined)
        .then(() => {
          controller.current = null;
          setRunning(false);
          if (store.getState().selectedModel !== before) void store.getState().selectModel(before);
        });
    },
    stop() {
      controller.current?.abort();
      store.getState().cancelLoad();
    },
  };
}

/** The columns of one comparison. */
export function useCompare(contenders: readonly Contender[]): { columns: Column[]; running: boolean; start(asked: Asked): void; stop(): void } {
  const tools = useCompareTools();
  const turns = useModelsInTurn();
  const key = contenders.map(keyOf).join();
  const [state, setState] = useState<{ key: string; columns: Column[] }>({ key: '', columns: [] });
  return {
    columns: state.key === key ? state.columns : [],
    running: turns.running,
    start(asked) {
      setState({ key, columns: contenders.map(() => BLANK) });
      turns.run((signal) =>
        compare(
          tools,
          contenders,
          asked,
          (index, patch) =>
            setState((now) => ({
              ...now,
              columns: now.columns.map((column, at) => (at === index ? { ...column, ...(typeof patch === 'function' ? patch(column) : patch) } : column)),
            })),
          signal,
        ),
      );
    },
    stop: turns.stop,
  };
}
