import { createContext, useContext } from 'react';
import { useStore } from 'zustand';
import type { Engine } from '../../engine/api.ts';
import type { Pictures } from '../pictures-client.ts';
import type { AppState } from './app-state.ts';
import type { AppStore } from './app-store.ts';
import type { SharedImage } from './image-slice.ts';

export interface AppContextValue {
  store: AppStore;
  engine: Engine;
  pictures: Pictures;
}

export const AppContext = createContext<AppContextValue | null>(null);

function useAppContext(): AppContextValue {
  const value = useContext(AppContext);
  if (!value) throw new Error('A screen was drawn outside <AppContext>.');
  return value;
}

/** A part of the shared state; the component is drawn again when that part changes. */
export function useApp<T>(select: (state: AppState) => T): T {
  return useStore(useAppContext().store, select);
}

/** The store itself, for what follows it without being drawn. */
export function useAppStore(): AppStore {
  return useAppContext().store;
}

/** The engine in its worker, for screens that ask it something of their own. */
export function useEngine(): Engine {
  return useAppContext().engine;
}

/** The worker that draws. */
export function usePictures(): Pictures {
  return useAppContext().pictures;
}

/** The picture that all screens look at. */
export function useSharedImage(): SharedImage | null {
  return useApp((state) => state.image);
}
