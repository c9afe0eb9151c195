import { useEffect } from 'react';
import type { RunView } from '../../state/finetune-slice.ts';
import { useApp } from '../../state/hooks.ts';

/** The run of this id: this tab's own, or read from storage; null until it is there. */
export function useRunView(id: string | null): RunView | null {
  const live = useApp((state) => state.liveRun);
  const stored = useApp((state) => state.storedRun);
  const openRun = useApp((state) => state.openRun);
  const isLive = id !== null && live?.summary?.id === id;
  useEffect(() => {
    if (id !== null && !isLive) void openRun(id);
  }, [id, isLive, openRun]);
  if (isLive) return live;
  return stored?.summary?.id === id ? stored : null;
}
