import type { LoadedModel, LoadProgress, LoadSettings, MemoryPlan, ModelEntry, ModelSource } from '../../engine/api.ts';
import { modelAddress, modelTitle, parseModelAddress } from '../../engine/models/model-address.ts';
import { cancelled, NvlmError, toPlainError, type PlainError } from '../../errors.ts';
import type { SliceTools } from './app-state.ts';

export const DEFAULT_MODEL = 'nano-d';

/** A model that somebody looks at before its weights are fetched; one that was not asked about yet has no plan, and makes none. */
export interface Candidate {
  id: string;
  title: string;
  source: ModelSource;
  settings: LoadSettings;
  /** The plan for these settings, or for those before while a new one is being made. */
  plan: MemoryPlan | null;
  planning: boolean;
  error: PlainError | null;
}

export interface ModelSlice {
  /** null until the engine has answered. */
  models: ModelEntry[] | null;
  /** The model that questions go to; loaded when it is first needed. */
  selectedModel: string;
  loadedModel: LoadedModel | null;
  loading: { id: string; progress: LoadProgress | null } | null;
  modelError: { id: string; error: PlainError } | null;
  refreshModels(): Promise<void>;
  candidate: Candidate | null;
  /** Models of others, by id, of which the visitor has said that their files may be read. */
  agreedModels: readonly string[];
  agreeToModel(id: string): void;
  /** Whether a token for the hub was given; the token itself is the engine's. */
  hubToken: boolean;
  /**
   * Selects and loads; a load of another model is cancelled. Never rejects: see `modelError`.
   * @param settings default: as it was loaded last
   */
  selectModel(id: string, settings?: LoadSettings): Promise<void>;
  /**
   * What a link does: selects, and loads what is here already. Of any other model nothing is fetched before the visitor
   * says so: whoever made the link would choose what this page reads and runs.
   */
  openModel(id: string): Promise<void>;
  /** Plans a model with these settings; its weights are not touched. Never rejects: see `candidate.error`. */
  planModel(source: ModelSource, settings?: LoadSettings): Promise<void>;
  dropCandidate(): void;
  setHubToken(token: string | null): Promise<void>;
  /** The selected model, loaded. Rejects with why it cannot be had. */
  ensureModel(): Promise<LoadedModel>;
  cancelLoad(): void;
  /** From the next load on: these stay in memory beside the one that answers, all others go. */
  keepModels(ids: readonly string[]): void;
  /** Frees what {@link keepModels} has kept; the model that answers stays. */
  releaseModels(): Promise<void>;
  unloadModel(): Promise<void>;
  deleteStoredModel(id: string): Promise<void>;
  /** After what may have cost the loaded model, a failed load or a run: asks the engine whether it is still there. */
  checkLoadedModel(): Promise<void>;
  /** The worker behind the engine is new: nothing is loaded in it. */
  forgetLoadedModel(): void;
}

export function createModelSlice({ set, get, engine }: SliceTools): ModelSlice {
  /** Models that the visitor has asked to load in this session, and how. */
  const wanted = new Map<string, { source: ModelSource; settings: LoadSettings }>();
  let planning: AbortController | null = null;
  /** null before anybody compares: each load then reads its model anew. */
  let beside: readonly string[] | null = null;
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
        const { source, settings } = await resolve(id);
        const model = await engine.load(source, {
          ...settings,
          ...(beside && { beside }),
          signal: controller.signal,
          onProgress: (progress) => {
            if (load === mine) set({ loading: { id, progress } });
          },
        });
        set({ loadedModel: model });
        void get().recutImages();
        if (get().candidate?.id === id) set({ candidate: null });
        return model;
      } catch (error) {
        const plain = toPlainError(error);
        if (load === mine && plain.code !== 'cancelled') set({ modelError: { id, error: plain } });
        get().noticeLoss(plain);
        await get().checkLoadedModel();
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

  async function entryOf(id: string): Promise<ModelEntry | undefined> {
    if (get().models === null) set({ models: await engine.models() });
    return get().models?.find((model) => model.id === id);
  }

  /** @throws NvlmError `not-found`; `usage` for a model whose download nobody has agreed to */
  async function resolve(id: string): Promise<{ source: ModelSource; settings: LoadSettings }> {
    const entry = await entryOf(id);
    const asked = wanted.get(id);
    if (asked) return asked;
    if (entry && isHere(entry)) return { source: entry.source, settings: entry.settings ?? {} };
    if (entry || parseModelAddress(id)) {
      const title = entry?.title ?? titleOf(id);
      throw new NvlmError('usage', `${title} has not been downloaded yet.`, 'Look at its plan and press Load.');
    }
    if (id.startsWith('files:')) {
      throw new NvlmError('not-found', `The folder ${titleOf(id)} is not open any more.`, 'Choose it again on the Models screen.');
    }
    throw new NvlmError('not-found', `There is no model “${id}”.`, 'Choose one on the Models screen.');
  }

  return {
    models: null,
    selectedModel: DEFAULT_MODEL,
    loadedModel: null,
    candidate: null,
    agreedModels: [],
    hubToken: false,
    loading: null,
    modelError: null,
    async refreshModels() {
      try {
        set({ models: await engine.models() });
      } catch (error) {
        get().noticeLoss(toPlainError(error));
      }
    },
    async selectModel(id, settings) {
      const { candidate } = get();
      const entry = get().models?.find((model) => model.id === id);
      const source = candidate?.id === id ? candidate.source : (wanted.get(id)?.source ?? entry?.source ?? parseModelAddress(id));
      if (source) wanted.set(id, { source, settings: settings ?? wanted.get(id)?.settings ?? entry?.settings ?? {} });
      // Other settings are another load.
      if (settings && get().loadedModel?.entry.id === id) await get().unloadModel();
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
    async openModel(id) {
      // Most links lead to a bundled model; nothing is asked for those.
      const source = parseModelAddress(id);
      const entry = source ? await entryOf(id).catch(() => undefined) : undefined;
      if (!source || wanted.has(id) || (entry && isHere(entry))) return get().selectModel(id);
      if (id !== get().selectedModel) get().stopAnswer();
      set({ selectedModel: id, modelError: null });
      // The models of this browser's own runs are nobody else's.
      if (entry || source.kind === 'run' || get().agreedModels.includes(id)) return get().planModel(source, entry?.settings ?? {});
      planning?.abort();
      set({ candidate: { id, title: modelTitle(source), source, settings: {}, plan: null, planning: false, error: null } });
    },
    agreeToModel(id) {
      if (!get().agreedModels.includes(id)) set({ agreedModels: [...get().agreedModels, id] });
    },
    async planModel(source, settings = {}) {
      planning?.abort();
      const { signal } = (planning = new AbortController());
      const id = modelAddress(source);
      get().agreeToModel(id);
      const before = get().candidate;
      const plan = before?.id === id ? before.plan : null;
      const begun: Candidate = { id, title: modelTitle(source), source, settings, plan, planning: true, error: null };
      set({ candidate: begun });
      try {
        const made = await engine.plan(source, { ...settings, signal });
        if (!signal.aborted) set({ candidate: { ...begun, plan: made, planning: false } });
      } catch (error) {
        if (signal.aborted) return;
        const plain = toPlainError(error);
        set({ candidate: { ...begun, plan: null, planning: false, error: plain } });
        get().noticeLoss(plain);
      }
    },
    dropCandidate() {
      planning?.abort();
      set({ candidate: null });
    },
    async setHubToken(token) {
      await engine.useHubToken(token);
      set({ hubToken: token !== null });
      const { candidate } = get();
      if (candidate?.error) await get().planModel(candidate.source, candidate.settings);
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
    keepModels(ids) {
      beside = ids;
    },
    async releaseModels() {
      const hasKept = beside !== null && beside.length > 0;
      beside = [];
      // One that is on its way still keeps them.
      await load?.done.catch(() => undefined);
      const { loadedModel } = get();
      if (hasKept && loadedModel && !load) await startLoad(loadedModel.entry.id).catch(() => undefined);
      beside = null;
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
        // The next load is a download again, to be agreed to.
        wanted.delete(id);
        set({ modelError: null });
      } catch (error) {
        set({ modelError: { id, error: toPlainError(error) } });
      }
      await get().refreshModels();
    },
    async checkLoadedModel() {
      await get().refreshModels();
      const { loadedModel, models } = get();
      if (loadedModel && !models?.some((entry) => entry.loaded && entry.id === loadedModel.entry.id)) set({ loadedModel: null });
    },
    forgetLoadedModel() {
      load?.controller.abort(cancelled());
      load = null;
      set({ loadedModel: null, loading: null });
    },
  };
}

/** Bundled ids are bare names; all others say where the model comes from. */
export function isBundledId(id: string): boolean {
  return !id.includes(':');
}

/** Loading it downloads nothing, or what comes with the page. */
function isHere({ source, storedBytes, bytes, loaded }: ModelEntry): boolean {
  return source.kind !== 'hub' && source.kind !== 'url' ? true : loaded || storedBytes >= bytes;
}

/** What a model is called before, or without, an entry. */
export function titleOf(id: string): string {
  const source = parseModelAddress(id);
  return source ? modelTitle(source) : id.replace(/^files:/, '');
}
