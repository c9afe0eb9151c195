import { useState } from 'react';
import type { ComposeForm } from '../../desk/compose/form.ts';
import type { PlacedShape } from '../../desk/shapes.ts';
import { Segmented } from '../components/Segmented.tsx';
import { COLOUR_NAMES, SHAPE_NAMES } from './desk-names.ts';
import styles from './ShapesField.module.css';

type Pen = Pick<PlacedShape, 'shape' | 'colour' | 'big'>;

const SIZES = { '1×1': { cols: 1, rows: 1 }, '2×1': { cols: 2, rows: 1 }, '2×2': { cols: 2, rows: 2 } };
type Size = keyof typeof SIZES;

const CELLS_PER_TILE = 4;

interface ShapesFieldProps {
  shapes: PlacedShape[];
  grid: ComposeForm['shapesGrid'];
  onChange(patch: Partial<ComposeForm>): void;
}

/** A board of cells: a tap puts the chosen shape there or takes it away. */
export function ShapesField({ shapes, grid, onChange }: ShapesFieldProps) {
  const [pen, setPen] = useState<Pen>({ shape: 'triangle', colour: 'purple', big: true });
  const size = `${grid.cols}×${grid.rows}` as Size;
  const [width, height] = [grid.cols * CELLS_PER_TILE, grid.rows * CELLS_PER_TILE];

  function toggle(row: number, col: number): void {
    const others = shapes.filter((shape) => shape.row !== row || shape.col !== col);
    onChange({ shapes: others.length < shapes.length ? others : [...others, { ...pen, row, col }] });
  }

  function resize(next: Size): void {
    const { cols, rows } = SIZES[next];
    const kept = shapes.filter((shape) => shape.col < cols * CELLS_PER_TILE && shape.row < rows * CELLS_PER_TILE);
    onChange({ shapesGrid: SIZES[next], shapes: kept });
  }

  return (
    <div className={styles.field}>
      <div className={styles.pen} role="group" aria-label="Shape to place">
        <select aria-label="Shape" value={pen.shape} onChange={(event) => setPen({ ...pen, shape: event.target.value as Pen['shape'] })}>
          {SHAPE_NAMES.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        <select
          aria-label="Colour"
          value={pen.colour}
          onChange={(event) => setPen({ ...pen, colour: event.target.value as Pen['colour'] })}
        >
          {COLOUR_NAMES.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        <Segmented
          legend="Size of the shape"
          value={pen.big ? 'big' : 'small'}
          options={[
            { value: 'big', label: 'big' },
            { value: 'small', label: 'small' },
          ]}
          onChange={(value) => setPen({ ...pen, big: value === 'big' })}
        />
      </div>
      <div className={styles.board} data-width={width} role="group" aria-label="Cells of the picture">
        {Array.from({ length: width * height }, (_, cell) => {
          const [row, col] = [Math.floor(cell / width), cell % width];
          const shape = shapes.find((one) => one.row === row && one.col === col);
          const what = shape ? `${shape.big ? 'big' : 'small'} ${shape.colour} ${shape.shape}` : 'empty';
          return (
            <button key={cell} type="button" aria-label={`Row ${row + 1}, column ${col + 1}: ${what}`} onClick={() => toggle(row, col)}>
              {shape && <ShapeGlyph {...shape} />}
            </button>
          );
        })}
      </div>
      <Segmented
        legend="Size of the picture in tiles"
        value={size}
        options={(Object.keys(SIZES) as Size[]).map((value) => ({ value, label: `${value} tiles` }))}
        onChange={resize}
      />
    </div>
  );
}

const GLYPHS: Record<Pen['shape'], string> = {
  circle: 'M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20z',
  square: 'M3 3h18v18H3z',
  triangle: 'M12 2l10 18.5H2z',
  star: 'M12 2l2.65 6.36 6.86.55-5.23 4.48 1.6 6.7L12 16.5l-5.88 3.59 1.6-6.7L2.49 8.9l6.86-.55z',
  diamond: 'M12 2l8 10-8 10-8-10z',
  cross: 'M8.4 2h7.2v6.4H22v7.2h-6.4V22H8.4v-6.4H2V8.4h6.4z',
};

function ShapeGlyph({ shape, colour, big }: Pen) {
  return (
    <svg viewBox="0 0 24 24" className={styles.glyph} data-big={big} data-colour={colour} aria-hidden="true">
      <path d={GLYPHS[shape]} />
    </svg>
  );
}
