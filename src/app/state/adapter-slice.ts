import type { AdapterEntry, AdapterUse, ExportedFile } from '../../engine/runs/training-api.ts';
import { toPlainError, type PlainError } from '../../errors.ts';
import type { AppState, SliceTools } from './app-state.ts';

export const STRENGTH_BOUNDS = { min: 0, max: 2, step: 0.05 } as const;

/** An adapter that the visitor has touched. */
export interface ChosenAdapter extends AdapterUse {
  on: boolean;
}

export interface AdapterSlice {
  /** null until they were asked for. */
  adapters: AdapterEntry[] | null;
  chosenAdapters: ChosenAdapter[];
  /** Each question is answered by the base model too. */
  comparing: boolean;
  adapterError: PlainError | null;
  refreshAdapters(): Promise<void>;
  chooseAdapter(id: string, patch: Partial<Omit<ChosenAdapter, 'id'>>): void;
  /** What an address names: exactly these are on. */
  chooseAdapters(uses: readonly AdapterUse[]): void;
  setComparing(comparing: boolean): void;
  importAdapter(title: string, files: ExportedFile[]): Promise<void>;
  deleteAdapter(id: string): Promise<void>;
  reportAdapterError(error: unknown): void;
}

/** Those that answer: switched on, of some strength, and not known to be of another model. */
export function activeAdapters({ adapters, chosenAdapters }: Pick<AppState, 'adapters' | 'chosenAdapters'>): AdapterUse[] {
  return chosenAdapters
    .filter(({ id, on, strength }) => on && strength > 0 && !adapters?.find((one) => one.id === id)?.misfit)
    .map(({ id, strength }) => ({ id, strength }));
}

/** `ID:0.8,ID2`: strength 1 is left out. */
export function formatAdapters(chosen: readonly ChosenAdapter[]): string {
  return chosen
    .filter(({ on }) => on)
    .map(({ id, strength }) => (strength === 1 ? id : `${id}:${strength}`))
    .join(',');
}

/** Of an address, so anything may stand there: what makes no sense is left out. */
export function parseAdapters(text: string): AdapterUse[] {
  const uses = new Map<string, AdapterUse>();
  for (const part of text.split(',').slice(0, 16)) {
    const [, id, number] = /^([\w.-]{1,100})(?::([\d.]{1,8}))?$/.exec(part.trim()) ?? [];
    const strength = number === undefined ? 1 : Number(number);
    if (id && strength >= STRENGTH_BOUNDS.min && strength <= STRENGTH_BOUNDS.max) uses.set(id, { id, strength });
  }
  return [...uses.values()];
}

export function createAdapterSlice({ set, get, engine }: SliceTools): AdapterSlice {
  const report = (error: unknown) => {
    const plain = toPlainError(error);
    set({ adapterError: plain });
    get().announce(`${plain.message} ${plain.fix}`);
    get().noticeLoss(plain);
  };

  async function add(title: string, files: ExportedFile[], chosen: Partial<ChosenAdapter>): Promise<void> {
    try {
      const { id } = await engine.importAdapter(title, files);
      set({ adapterError: null });
      await get().refreshAdapters();
      get().chooseAdapter(id, chosen);
      get().announce(`${title} is there.`);
    } catch (error) {
      report(error);
    }
  }

  return {
    adapters: null,
    chosenAdapters: [],
    comparing: false,
    adapterError: null,
    async refreshAdapters() {
      try {
        set({ adapters: await engine.adapters() });
      } catch (error) {
        report(error);
      }
    },
    chooseAdapter(id, patch) {
      set(({ chosenAdapters }) => {
        const before = chosenAdapters.find((one) => one.id === id) ?? { id, strength: 1, on: false };
        const after = { ...before, ...patch };
        return chosenAdapters.some((one) => one.id === id)
          ? { chosenAdapters: chosenAdapters.map((one) => (one.id === id ? after : one)) }
          : { chosenAdapters: [...chosenAdapters, after] };
      });
    },
    chooseAdapters(uses) {
      set(({ chosenAdapters }) => ({
        chosenAdapters: [
          ...uses.map((use) => ({ ...use, on: true })),
          ...chosenAdapters.filter(({ id }) => !uses.some((use) => use.id === id)).map((one) => ({ ...one, on: false })),
        ],
      }));
    },
    setComparing: (comparing) => set({ comparing }),
    importAdapter: (title, files) => add(title, files, { on: true }),
    async deleteAdapter(id) {
      const entry = get().adapters?.find((one) => one.id === id);
      if (!entry) return;
      try {
        const files = await engine.exportAdapter(id);
        await engine.deleteAdapter(id);
        const chosen = get().chosenAdapters.find((one) => one.id === id);
        set(({ chosenAdapters }) => ({ adapterError: null, chosenAdapters: chosenAdapters.filter((one) => one.id !== id) }));
        await get().refreshAdapters();
        const undo = () => void add(entry.title, files, { on: chosen?.on ?? false, strength: chosen?.strength ?? 1 });
        get().showToast(`${entry.title} deleted.`, { label: 'Undo', run: undo });
      } catch (error) {
        report(error);
      }
    },
    reportAdapterError: report,
  };
}
