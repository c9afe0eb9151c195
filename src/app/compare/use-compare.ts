import { useEffect, useRef, useState } from 'react';
import { throwIfAborted } from '../../errors.ts';
import { useAppStore, useEngine, usePictures } from '../state/hooks.ts';
import { keyOf, type Contender } from './contenders.ts';
import { BLANK, compare, type Asked, type Column, type CompareTools } from './run-compare.ts';

export function useCompareTools(): CompareTools {
  const [engine, pictures, store] = [useEngine(), usePictures(), useAppStore()];
  return { engine, pictures, store };
}

interface ModelsInTurn {
  running: boolean;
  /** @param together whether they stay in memory until the screen is left, or the next run says otherwise */
  run(contenders: readonly Contender[], together: () => Promise<boolean>, work: (signal: AbortSignal) => Promise<void>): void;
  stop(): void;
}

/** Has models work one after the other, and afterwards selects the model again that was selected before. */
export function useModelsInTurn(): ModelsInTurn {
  const store = useAppStore();
  const [running, setRunning] = useState(false);
  const controller = useRef<AbortController | null>(null);
  const left = useRef(false);
  useEffect(() => {
    left.current = false;
    return () => {
      left.current = true;
      if (controller.current) controller.current.abort();
      else void store.getState().releaseModels();
    };
  }, [store]);
  return {
    running,
    run(contenders, together, work) {
      if (controller.current) return;
      const mine = new AbortController();
      controller.current = mine;
      const before = store.getState().selectedModel;
      const models = contenders.map(({ model }) => model);
      setRunning(true);
      // Each failure stands in its own column; only that it was stopped comes out here.
      const begin = async () => {
        store.getState().keepModels((await together()) ? models : []);
        throwIfAborted(mine.signal);
        await work(mine.signal);
      };
      void begin()
        .catch(() => undefined)
        .then(async () => {
          controller.current = null;
          setRunning(false);
          // A model more than was planned for has no room beside the others.
          if (!models.includes(before)) store.getState().keepModels([]);
          if (store.getState().selectedModel !== before) await store.getState().selectModel(before);
          if (left.current) await store.getState().releaseModels();
        });
    },
    stop() {
      controller.current?.abort();
      store.getState().cancelLoad();
    },
  };
}

/** The columns of one comparison. */
export function useCompare(contenders: readonly Contender[]): {
  columns: Column[];
  running: boolean;
  start(asked: Asked, together: () => Promise<boolean>): void;
  stop(): void;
} {
  const tools = useCompareTools();
  const turns = useModelsInTurn();
  const key = contenders.map(keyOf).join();
  const [state, setState] = useState<{ key: string; columns: Column[] }>({ key: '', columns: [] });
  return {
    columns: state.key === key ? state.columns : [],
    running: turns.running,
    start(asked, together) {
      setState({ key, columns: contenders.map(() => BLANK) });
      turns.run(contenders, together, (signal) =>
        compare(
          tools,
          contenders,
          asked,
          (index, patch) =>
            setState((now) => ({
              ...now,
              columns: now.columns.map((column, at) =>
                at === index ? { ...column, ...(typeof patch === 'function' ? patch(column) : patch) } : column,
              ),
            })),
          signal,
        ),
      );
    },
    stop: turns.stop,
  };
}
