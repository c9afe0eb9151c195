import type { ComposeForm } from '../../desk/compose/form.ts';
import type { SliceTools } from './app-state.ts';

export interface ComposeSlice {
  shelf: 'examples' | 'own';
  setShelf(shelf: 'examples' | 'own'): void;
  composeForm: ComposeForm;
  changeComposeForm(patch: Partial<ComposeForm>): void;
}

/** Filled in, so that the forms explain themselves and one letter makes them one's own. */
const FIRST_FORM: ComposeForm = {
  kind: 'note',
  note: 'HELLO\nWORLD',
  items: [
    { name: 'TEA', price: '2.50' },
    { name: 'CAKE', price: '3.20' },
  ],
  total: true,
  bars: [
    { label: 'A', height: '3', colour: 'blue' },
    { label: 'B', height: '6', colour: 'orange' },
    { label: 'C', height: '2', colour: 'green' },
  ],
  shapes: [
    { row: 0, col: 0, shape: 'star', colour: 'red', big: true },
    { row: 2, col: 2, shape: 'circle', colour: 'blue', big: true },
  ],
  shapesGrid: { cols: 1, rows: 1 },
  seed: 2,
  plain: true,
};

export function createComposeSlice({ set }: SliceTools): ComposeSlice {
  return {
    shelf: 'examples',
    setShelf: (shelf) => set({ shelf }),
    composeForm: FIRST_FORM,
    changeComposeForm: (patch) => set(({ composeForm }) => ({ composeForm: { ...composeForm, ...patch } })),
  };
}
