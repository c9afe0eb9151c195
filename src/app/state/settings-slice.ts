import type { LoadedModel, ModelEntry, Sampling } from '../../engine/api.ts';
import { MAX_TILES_ANYWHERE } from '../../tiling/tile-limits.ts';
import type { SliceTools } from './app-state.ts';

export type Theme = 'system' | 'light' | 'dark';

/** Everything that shapes an answer besides the question. */
export interface ChatSettings extends Required<Omit<Sampling, 'seed'>> {
  maxNewTokens: number;
  /** null: another one for every answer */
  seed: number | null;
  /** Send the earlier turns along with a question; null: as the model is used to. */
  remember: boolean | null;
  /** What the system turn says, instead of the model's own; empty: nothing. */
  system: string;
  /** Most regular tiles a picture is cut into; null: as the model has it. */
  maxTiles: number | null;
}

/** Greedy, as the models are measured. */
export const DEFAULT_SETTINGS: ChatSettings = {
  temperature: 0,
  topK: 0,
  topP: 1,
  repetitionPenalty: 1,
  seed: null,
  maxNewTokens: 96,
  remember: null,
  system: '',
  maxTiles: null,
};

export const LONGEST_SYSTEM = 4000;

export const SETTING_BOUNDS = {
  temperature: { min: 0, max: 2, step: 0.05 },
  maxNewTokens: { min: 8, max: 1024, step: 8 },
  topK: { min: 0, max: 100, step: 1 },
  topP: { min: 0.05, max: 1, step: 0.05 },
  repetitionPenalty: { min: 1, max: 2, step: 0.05 },
  maxTiles: { min: 1, max: MAX_TILES_ANYWHERE, step: 1 },
  seed: { min: 0, max: 2 ** 31 - 1, step: 1 },
} as const;

export interface SettingsSlice {
  theme: Theme;
  setTheme(theme: Theme): void;
  chatSettings: ChatSettings;
  changeChatSettings(patch: Partial<ChatSettings>): void;
  resetChatSettings(): void;
}

export function createSettingsSlice({ set, get, preferences }: SliceTools): SettingsSlice {
  return {
    theme: preferences.read('theme', isTheme) ?? 'system',
    setTheme(theme) {
      preferences.write('theme', theme);
      set({ theme });
    },
    chatSettings: { ...DEFAULT_SETTINGS, ...preferences.read('chat', isPartialSettings) },
    changeChatSettings(patch) {
      const chatSettings = { ...get().chatSettings, ...patch };
      preferences.write('chat', chatSettings);
      set({ chatSettings });
      if (patch.maxTiles !== undefined) void get().recutImages();
    },
    resetChatSettings() {
      preferences.write('chat', {});
      set({ chatSettings: DEFAULT_SETTINGS });
      void get().recutImages();
    },
  };
}

/** The engine's form of the settings; a fresh seed is drawn here, so that an answer can name the one it used. */
export function toSampling(settings: ChatSettings, randomSeed: () => number = drawSeed): Sampling {
  const { temperature, topK, topP, repetitionPenalty, seed } = settings;
  return {
    temperature,
    ...(topK > 0 && { topK }),
    ...(topP < 1 && { topP }),
    ...(repetitionPenalty !== 1 && { repetitionPenalty }),
    ...(temperature > 0 && { seed: seed ?? randomSeed() }),
  };
}

/** What of the setting a model can follow: no more tiles than it has. undefined: as the model has it. */
export function maxTilesFor({ maxTiles }: ChatSettings, model: Pick<LoadedModel, 'maxTiles'>): number | undefined {
  return maxTiles !== null && maxTiles < model.maxTiles ? maxTiles : undefined;
}

/** nano has never been shown a second turn; other chat models expect the whole conversation. */
export function sendsEarlierTurns({ remember }: ChatSettings, { source }: Pick<ModelEntry, 'source'>): boolean {
  return remember ?? source.kind !== 'bundled';
}

function drawSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! >>> 1;
}

function isTheme(value: unknown): value is Theme {
  return value === 'system' || value === 'light' || value === 'dark';
}

/** Stored settings may come from an older or a tampered page: one value out of bounds and all are dropped. */
function isPartialSettings(value: unknown): value is Partial<ChatSettings> {
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).every(([name, entry]) => {
    if (name === 'remember') return typeof entry === 'boolean' || entry === null;
    if (name === 'system') return typeof entry === 'string' && entry.length <= LONGEST_SYSTEM;
    if ((name === 'seed' || name === 'maxTiles') && entry === null) return true;
    const bounds = Object.hasOwn(SETTING_BOUNDS, name) ? SETTING_BOUNDS[name as keyof typeof SETTING_BOUNDS] : null;
    return bounds !== null && typeof entry === 'number' && entry >= bounds.min && entry <= bounds.max;
  });
}
