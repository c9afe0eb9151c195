import { createStore, type StoreApi } from 'zustand/vanilla';
import type { AppServices, AppState, SliceTools } from './app-state.ts';
import { createAdapterSlice } from './adapter-slice.ts';
import { createChatSlice } from './chat-slice.ts';
import { createComposeSlice } from './compose-slice.ts';
import { createDeviceSlice } from './device-slice.ts';
import { createFinetuneSlice } from './finetune-slice.ts';
import { createImageSlice } from './image-slice.ts';
import { createLabSlice } from './lab-slice.ts';
import { createModelSlice } from './model-slice.ts';
import { createSettingsSlice } from './settings-slice.ts';
import { createToastSlice } from './toast-slice.ts';

export type AppStore = StoreApi<AppState>;

/** One store, one slice a file; slices reach each other through `get()`. */
export function createAppStore(services: AppServices): AppStore {
  return createStore<AppState>()((set, get) => {
    const tools: SliceTools = { ...services, set, get };
    return {
      ...createToastSlice(tools),
      ...createSettingsSlice(tools),
      ...createDeviceSlice(tools),
      ...createModelSlice(tools),
      ...createImageSlice(tools),
      ...createComposeSlice(tools),
      ...createAdapterSlice(tools),
      ...createChatSlice(tools),
      ...createFinetuneSlice(tools),
      ...createLabSlice(tools),
    };
  });
}
