import { composeChart } from '../../desk/compose/chart.ts';
import type { Composition } from '../../desk/compose/composition.ts';
import { composeNote } from '../../desk/compose/note.ts';
import { composeReceipt } from '../../desk/compose/receipt.ts';
import { composeShapes } from '../../desk/compose/shapes.ts';
import type { ComposeForm } from '../state/compose-slice.ts';

/** The picture of what stands in the form. */
export function composePicture(form: ComposeForm): Composition {
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
