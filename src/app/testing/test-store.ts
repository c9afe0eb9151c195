import { createPreferences } from '../preferences.ts';
import { createAppStore, type AppStore } from '../state/app-store.ts';
import type { ImageOffer } from '../state/image-slice.ts';
import { createFakeEngine, type FakeEngine } from './fake-engine.ts';

export const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Of the store that a test has: made anew by {@link freshStore}, which stands before each. */
export let engine: FakeEngine;
/** What outlives the page. */
export let stored: Map<string, string>;
let store: AppStore;

export function freshStore(): void {
  engine = createFakeEngine();
  stored = new Map();
  reopen();
}

/** Another visit: the same engine and the same stored settings. */
export function reopen(): void {
  const preferences = createPreferences({
    getItem: (name) => stored.get(name) ?? null,
    setItem: (name, value) => void stored.set(name, value),
  });
  let clock = 0;
  store = createAppStore({ engine, preferences, convertPicture, now: () => (clock += 1) });
}

export const state = () => store.getState();
export const lastTurn = () => state().turns.at(-1)!;

export function picture(name: string, extraBytes = 0): ImageOffer {
  return { name, bytes: Uint8Array.from([...PNG, ...new Array<number>(extraBytes).fill(0)]), origin: { kind: 'file' } };
}

/** What the engine is asked waits until the result is called. */
export function gate(): () => void {
  let open!: () => void;
  engine.gate = new Promise((resolve) => {
    open = resolve;
  });
  return () => {
    engine.gate = null;
    open();
  };
}

/** Knows one format more than the engine. */
async function convertPicture(file: Blob): Promise<Uint8Array | null> {
  return (await file.text()).startsWith('GIF') ? Uint8Array.from(PNG) : null;
}
