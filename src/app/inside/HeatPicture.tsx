import { useLayoutEffect, useRef, type KeyboardEvent, type PointerEvent } from 'react';
import type { PictureLayout } from '../../engine/inside/inside-api.ts';
import { useInk } from '../tiles/ink.ts';
import { prepareCanvas, useSize } from '../tiles/use-size.ts';
import type { Shown } from '../tiles/use-inspection.ts';
import type { CellMap } from './cells.ts';
import { drawHeat, type HeatScene } from './draw-heat.ts';
import { cellAt, heatLayout } from './heat-layout.ts';
import styles from './HeatPicture.module.css';
import type { View } from './settings.ts';

export interface CellFocus {
  tile: number;
  cell: number;
}

interface Props {
  shown: Pick<Shown, 'original' | 'pictures'>;
  layout: PictureLayout;
  view: View;
  map: CellMap;
  largest: number;
  labels: string[];
  words: HeatScene['words'];
  focus: CellFocus | null;
  /** Without it no cell can be chosen. */
  onFocus?: (focus: CellFocus | null) => void;
  /** The picture in words. */
  description: string;
}

const MOST_HEIGHT = 520;

/** The picture with a number on each of its cells; a cell is chosen by pointer, finger or arrow keys. */
export function HeatPicture({ shown, layout, view, map, largest, labels, words, focus, onFocus, description }: Props) {
  const [box, size] = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const ink = useInk();
  const placed = heatLayout(layout, view, size.width, MOST_HEIGHT);
  const across = layout.cellsAcross;

  useLayoutEffect(() => {
    if (size.width === 0 || shown.pictures.length !== layout.tiles.length) return;
    const context = prepareCanvas(canvas.current!, size.width, placed.height);
    const { original, pictures } = shown;
    drawHeat(context, { layout: placed, view, across, original, pictures, map, largest, labels, words, focus, surface: ink.surface });
  });

  const point = (event: PointerEvent<HTMLDivElement>) => {
    const rect = event.currentTarget.getBoundingClientRect();
    const found = cellAt(placed, across, event.clientX - rect.left, event.clientY - rect.top);
    if (found?.tile !== focus?.tile || found?.cell !== focus?.cell) onFocus?.(found);
  };
  const move = (event: KeyboardEvent) => {
    if (event.key === 'Escape') return onFocus?.(null);
    const next = stepped(layout, focus, event.key);
    if (!next) return;
    event.preventDefault();
    onFocus?.(next);
  };
  return (
    <div
      ref={box}
      className={styles.picture}
      style={{ height: size.width > 0 ? placed.height : undefined }}
      role="img"
      aria-label={onFocus ? `${description} Arrow keys choose a cell.` : description}
      tabIndex={onFocus && 0}
      onPointerMove={point}
      onPointerDown={point}
      onPointerLeave={(event) => event.pointerType === 'mouse' && onFocus?.(null)}
      onKeyDown={move}
    >
      <canvas ref={canvas} aria-hidden="true" />
    </div>
  );
}

/** The neighbour of a cell on the whole picture, from tile to tile; behind its last column the thumbnail. */
function stepped({ tiles, grid, cellsAcross: across }: PictureLayout, focus: CellFocus | null, key: string): CellFocus | null {
  // In the sequence they may stand in another order, the thumbnail first.
  const at = (col: number, row: number) => tiles.findIndex((one) => !one.thumbnail && one.col === col && one.row === row);
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  if (!step) return null;
  const tile = focus && tiles[focus.tile];
  if (!tile) return { tile: at(0, 0), cell: 0 };
  const [dx, dy] = step as [number, number];
  const [cellX, cellY] = [focus.cell % across, Math.floor(focus.cell / across)];
  if (tile.thumbnail) {
    const x = cellX + dx;
    if (x < 0) return { tile: at(grid.cols - 1, 0), cell: across - 1 };
    return { tile: focus.tile, cell: clamp(cellY + dy, across) * across + clamp(x, across) };
  }
  const [x, y] = [tile.col * across + cellX + dx, clamp(tile.row * across + cellY + dy, grid.rows * across)];
  const thumbnail = tiles.findIndex((one) => one.thumbnail);
  if (x >= grid.cols * across && thumbnail >= 0) return { tile: thumbnail, cell: 0 };
  const inside = clamp(x, grid.cols * across);
  return {
    tile: at(Math.floor(inside / across), Math.floor(y / across)),
    cell: (y % across) * across + (inside % across),
  };
}

function clamp(value: number, length: number): number {
  return Math.min(length - 1, Math.max(0, value));
}
