import { lazy, type ComponentType } from 'react';
import type { Screen } from '../router.ts';

/** A script each: the page starts with the code of one screen, and no start-up task has to read them all. */
const SCRIPTS: Record<Screen, () => Promise<{ default: ComponentType }>> = {
  chat: () => import('../chat/ChatScreen.tsx'),
  tiles: () => import('../tiles/TilesScreen.tsx'),
  finetune: () => import('../finetune/FinetuneScreen.tsx'),
  models: () => import('../models/ModelsScreen.tsx'),
  device: () => import('../device/DeviceScreen.tsx'),
};

export const SCREEN_VIEWS: Record<Screen, ComponentType> = {
  chat: lazy(SCRIPTS.chat),
  tiles: lazy(SCRIPTS.tiles),
  finetune: lazy(SCRIPTS.finetune),
  models: lazy(SCRIPTS.models),
  device: lazy(SCRIPTS.device),
};

/** Has the screen's script come ahead of the screen. A failure shows when the screen is opened. */
export function fetchScreen(screen: Screen): void {
  SCRIPTS[screen]().catch(() => undefined);
}
