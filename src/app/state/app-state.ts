import type { StoreApi } from 'zustand';
import type { EngineClient } from '../engine-client.ts';
import type { Preferences } from '../preferences.ts';
import type { AdapterSlice } from './adapter-slice.ts';
import type { ChatSlice } from './chat-slice.ts';
import type { ComposeSlice } from './compose-slice.ts';
import type { DeviceSlice } from './device-slice.ts';
import type { FinetuneSlice } from './finetune-slice.ts';
import type { ImageSlice } from './image-slice.ts';
import type { LabSlice } from './lab-slice.ts';
import type { ModelSlice } from './model-slice.ts';
import type { SettingsSlice } from './settings-slice.ts';
import type { ToastSlice } from './toast-slice.ts';

/** Everything the screens share. What can be read off the address (screen, model, backend, picture) is kept there. */
export type AppState = AdapterSlice &
  ChatSlice &
  ComposeSlice &
  DeviceSlice &
  FinetuneSlice &
  ImageSlice &
  LabSlice &
  ModelSlice &
  SettingsSlice &
  ToastSlice;

/** What the slices need from outside; tests give fakes. */
export interface AppServices {
  engine: EngineClient;
  preferences: Preferences;
  /** A PNG file of a picture that only the browser can decode; null when it cannot either. */
  convertPicture(file: Blob): Promise<Uint8Array | null>;
  now(): number;
}

export interface SliceTools extends AppServices {
  set: StoreApi<AppState>['setState'];
  get: StoreApi<AppState>['getState'];
}
