import type { LoadedModel, LoadProgress, ModelEntry } from '../../engine/api.ts';
import { cancelled, NvlmError, toPlainError, type PlainError } from '../../errors.ts';
import type { SliceTools } from './app-state.ts';

export const DEFAULT_MODEL = 'nano-d';

export interface ModelSlice {
  /** null until the engine has answered. */
  models: ModelEntry[] | null;
  /** The model that questions go to; loaded when it is first needed. */
  selectedModel: string;
  loadedModel: LoadedModel | null;
  loading: { id: string; progress: LoadProgress | null } | null;
  modelError: { id: string; error: PlainError } | null;
  refreshModels(): Promise<void>;
  /** Selects and loads; a load of another model is cancelled. Never rejects: see `modelError`. */
  selectModel(id: string): Promise<void>;
  /** The selected model, loaded. Rejects with why it cannot be had. */
  ensureModel(): Promise<LoadedModel>;
  cancelLoad(): void;
  unloadModel(): Promise<void>;
  deleteStoredModel(id: string): Promise<void>;
  /** The worker behind the engine is new: nothing is loaded in it. */
  forgetLoadedModel(): void;
}

export function createModelSlice({ set, get, engine }: SliceTools): ModelSlice {
  let load: { id: string; controller: AbortController; done: Promise<LoadedModel> } | null = null;

  function startLoad(id: string): Promise<LoadedModel> {
    const controller = new AbortController();
    const before = load;
    const done = run();
    const mine = { id, controller, done };
    load = mine;
    set({ loading: { id, progress: null }, modelError: null });
    return done;

    async function run(): Promise<LoadedModel> {
      // One after the other: the engine holds one model, and a cancelled load has to let go of it first.
      before?.controller.abort();
      await before?.done.catch(() => undefined);
      try {
        const entry = await findEntry(id);
        const model = await engine.load(entry.source, {
          signal: controller.signal,
          onProgress: (progress) => {
            if (load === mine) set({ loading: { id, progress } });
          },
        });
        set({ loadedModel: model });
        return model;
      } catch (error) {
        const plain = toPlainError(error);
        if (load === mine && plain.code !== 'cancelled') set({ modelError: { id, error: plain } });
        get().noticeLoss(plain);
        await forgetUnlessStillLoaded();
        throw error;
      } finally {
        if (load === mine) {
          load = null;
          set({ loading: null });
        }
        void get().refreshModels();
      }
    }
  }

  /** A failed load may or may not have cost the model before it. */
  async function forgetUnlessStillLoaded(): Promise<void> {
    await get().refreshModels();
    const { loadedModel, models } = get();
    if (loadedModel && !models?.some((entry) => entry.loaded && entry.id === loadedModel.entry.id))
      set({ loadedModel: null });
  }

  async function findEntry(id: string): Promise<ModelEntry> {
    if (get().models === null) set({ models: await engine.models() });
    const entry = get().models?.find((model) => model.id === id);
    if (!entry) throw new NvlmError('not-found', `There is no model “${id}”.`, 'Choose one on the Models screen.');
    return entry;
  }

  return {
    models: null,
    selectedModel: DEFAULT_MODEL,
    loadedModel: null,
    loading: null,
    modelError: null,
    async refreshModels() {
      try {
        set({ models: await engine.models() });
      } catch (error) {
        get().noticeLoss(toPlainError(error));
      }
    },
    async selectModel(id) {
      if (id !== get().selectedModel) get().stopAnswer();
      set({ selectedModel: id });
      try {
        await get().ensureModel();
      } catch {
        // Shown beside the control through `modelError`; questions go on to the model that is still there.
        const { loadedModel } = get();
        if (loadedModel && get().selectedModel === id) set({ selectedModel: loadedModel.entry.id });
      }
    },
    async ensureModel() {
      const { selectedModel, loadedModel } = get();
      if (load?.id === selectedModel && !load.controller.signal.aborted) return load.done;
      if (!load && loadedModel?.entry.id === selectedModel) return loadedModel;
      return startLoad(selectedModel);
    },
    cancelLoad() {
      load?.controller.abort();
    },
    async unloadModel() {
      const { loadedModel } = get();
      if (!loadedModel) return;
      get().stopAnswer();
      try {
        await engine.unload();
        set({ loadedModel: null });
      } catch (error) {
        set({ modelError: { id: loadedModel.entry.id, error: toPlainError(error) } });
      }
      await get().refreshModels();
    },
    async deleteStoredModel(id) {
      try {
        await engine.deleteStored(id);
        set({ modelError: null });
      } catch (error) {
        set({ modelError: { id, error: toPlainError(error) } });
      }
      await get().refreshModels();
    },
    forgetLoadedModel() {
      load?.controller.abort(cancelled());
      load = null;
      set({ loadedModel: null, loading: null });
    },
  };
}
