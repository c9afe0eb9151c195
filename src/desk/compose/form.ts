import type { Bar } from '../chart.ts';
import type { SceneKind } from '../scene.ts';
import type { PlacedShape } from '../shapes.ts';
import type { Grid } from '../vocabulary.ts';
import { composeChart } from './chart.ts';
import type { Composition } from './composition.ts';
import { composeNote } from './note.ts';
import { composeReceipt } from './receipt.ts';
import type { TypedItem } from './receipt.ts';
import { composeShapes } from './shapes.ts';

/** A bar as it is being typed: the height may be nothing yet. */
export type TypedBar = Omit<Bar, 'height'> & { height: string };

/** What stands in the *type your own* forms; every kind keeps its own. */
export interface ComposeForm {
  kind: SceneKind;
  note: string;
  items: TypedItem[];
  total: boolean;
  bars: TypedBar[];
  shapes: PlacedShape[];
  shapesGrid: Grid;
  /** Chooses the looks. */
  seed: number;
  plain: boolean;
}

/** The picture of what stands in the form. */
export function composeForm(form: ComposeForm): Composition {
  const style = { seed: form.seed, plain: form.plain };
  switch (form.kind) {
    case 'note':
      return composeNote(form.note, style);
    case 'receipt':
      return composeReceipt(form.items, form.total, style);
    case 'chart':
      return composeChart(
        form.bars.map((bar) => ({ ...bar, height: bar.height.trim() === '' ? NaN : Number(bar.height) })),
        style,
      );
    case 'shapes':
      return composeShapes(form.shapes, { ...style, grid: form.shapesGrid });
  }
}
