import { lazy, type ComponentType } from 'react';
import { ChatScreen } from '../chat/ChatScreen.tsx';
import type { Screen } from '../router.ts';

/**
 * A script each, for no start-up task to read them all. Chat alone comes with the page: most visits begin there, and a
 * script that is asked for after the workers have started waits for the processor.
 */
const SCRIPTS: Record<Exclude<Screen, 'chat'>, () => Promise<{ default: ComponentType }>> = {
  tiles: () => import('../tiles/TilesScreen.tsx'),
  inside: () => import('../inside/InsideScreen.tsx'),
  compare: () => import('../compare/CompareScreen.tsx'),
  finetune: () => import('../finetune/FinetuneScreen.tsx'),
  lab: () => import('../lab/LabScreen.tsx'),
  models: () => import('../models/ModelsScreen.tsx'),
  device: () => import('../device/DeviceScreen.tsx'),
};

export const SCREEN_VIEWS: Record<Screen, ComponentType> = {
  chat: ChatScreen,
  tiles: lazy(SCRIPTS.tiles),
  inside: lazy(SCRIPTS.inside),
  compare: lazy(SCRIPTS.compare),
  finetune: lazy(SCRIPTS.finetune),
  lab: lazy(SCRIPTS.lab),
  models: lazy(SCRIPTS.models),
  device: lazy(SCRIPTS.device),
};

/** Has the screen's script come ahead of the screen. A failure shows when the screen is opened. */
export function fetchScreen(screen: Screen): void {
  if (screen !== 'chat') SCRIPTS[screen]().catch(() => undefined);
}
