import { useEffect } from 'react';
import { isTraining } from '../../state/finetune-slice.ts';
import type { AppStore } from '../../state/app-store.ts';

export type WakeLockState = 'on' | 'off' | 'not-offered';

const guarded = new WeakSet<AppStore>();
let wakeLockState: WakeLockState = 'off';
const listeners = new Set<() => void>();

/**
 * While a run goes on, on whatever screen: the display stays awake, and closing the tab asks first. Once for a store.
 */
export function guardRuns(store: AppStore): void {
  if (guarded.has(store)) return;
  guarded.add(store);
  let lock: WakeLockSentinel | null = null;
  let asking = false;

  async function keepAwake(): Promise<void> {
    const wanted = isTraining(store.getState());
    if (!wanted) {
      await lock?.release().catch(() => undefined);
      lock = null;
      return tell('off');
    }
    // A hidden tab may not hold it: it is asked for again when the tab is back.
    if (lock || asking || document.hidden) return;
    if (!('wakeLock' in navigator)) return tell('not-offered');
    asking = true;
    try {
      lock = await navigator.wakeLock.request('screen');
      lock.addEventListener('release', () => {
        lock = null;
        tell('off');
      });
      tell('on');
    } catch {
      tell('not-offered');
    } finally {
      asking = false;
    }
    if (!isTraining(store.getState())) void keepAwake();
  }

  const warn = (event: BeforeUnloadEvent) => event.preventDefault();
  let warned = false;
  function follow(): void {
    const training = isTraining(store.getState());
    if (training !== warned) {
      warned = training;
      if (training) window.addEventListener('beforeunload', warn);
      else window.removeEventListener('beforeunload', warn);
      void keepAwake();
    }
  }
  store.subscribe(follow);
  document.addEventListener('visibilitychange', () => void keepAwake());
  follow();
}

function tell(state: WakeLockState): void {
  if (state === wakeLockState) return;
  wakeLockState = state;
  for (const listener of listeners) listener();
}

export const wakeLock = {
  subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  get: (): WakeLockState => wakeLockState,
};

export function useRunGuards(store: AppStore): void {
  useEffect(() => guardRuns(store), [store]);
}
