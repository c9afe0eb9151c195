import { useEffect, useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent } from 'react';
import { clearFocus, focusToken, useFocus, type ArchitectureId } from './focus-store.ts';
import { inkOf, useInk, type Ink } from './ink.ts';
import { describeSight, maskColumns, type MaskColumn } from './mask-columns.ts';
import styles from './MaskPicture.module.css';
import { measureWords } from './measure-words.ts';
import { tileMark, tileName } from './tile-names.ts';
import { visibleText } from './token-lane.ts';
import type { Shown } from './use-inspection.ts';
import { prepareCanvas, useSize } from './use-size.ts';

const LABELS = 30;
const ROW = 22;
const GAP = 2;
const SPACE_FOR_WORDS = 10;
const SHORTEST_WORDS = 12;
const NARROWEST = 7;
const WIDEST = 26;

/**
 * Which rows of the decoder see which tile through cross-attention: the sequence runs to the right, a tile is a line.
 */
export function MaskPicture({ shown, architecture, title }: { shown: Shown; architecture: ArchitectureId; title: string }) {
  const [box, size] = useSize<HTMLDivElement>();
  const base = useRef<HTMLCanvasElement>(null);
  const overlay = useRef<HTMLCanvasElement>(null);
  const ink = useInk();
  const plan = shown.inspection.plans[architecture]!;
  const { tokenTexts, tiling } = shown.inspection;
  const columns = useMemo(() => maskColumns(plan, tokenTexts), [plan, tokenTexts]);
  const [at, setAt] = useState<{ column: number; line: number | null } | null>(null);
  const name = (tile: number) => tileName(tiling.tiles, tile);

  const pitch = Math.min(WIDEST, Math.max(NARROWEST, (size.width - LABELS) / Math.max(1, columns.length)));
  const width = Math.max(size.width, LABELS + pitch * columns.length);
  const words = useMemo(() => wordsHeight(columns, pitch, ink), [columns, pitch, ink]);
  const height = plan.crossTiles.length * (ROW + GAP) + words;
  const fromRow = useFocus(({ token }) => (token?.architecture === architecture && token.lane === 'decoder' ? token.position : null));
  const litTile = useFocus((state) => (state.token?.architecture === architecture ? null : state.tile));

  useLayoutEffect(() => {
    if (!base.current || size.width === 0) return;
    drawMask(prepareCanvas(base.current, width, height), shown, plan.crossTiles, columns, pitch, ink);
  }, [size.width, width, height, shown, plan, columns, pitch, ink]);

  useEffect(() => {
    if (!overlay.current || size.width === 0) return;
    const context = prepareCanvas(overlay.current, width, height);
    const column = at?.column ?? columns.findIndex(({ start, end }) => fromRow !== null && start <= fromRow && fromRow < end);
    context.strokeStyle = ink.focus;
    context.lineWidth = 2;
    if (column >= 0) context.strokeRect(LABELS + column * pitch, 1, pitch, height - 2);
    const line = at?.line ?? plan.crossTiles.findIndex((tile) => tile === litTile);
    if (line >= 0) context.strokeRect(1, line * (ROW + GAP) + 1, LABELS + columns.length * pitch - 2, ROW - 2);
  }, [at, fromRow, litTile, size.width, width, height, columns, plan, pitch, ink]);

  const go = (column: number, line: number | null) => {
    const target = columns[column];
    if (!target) return;
    setAt({ column, line });
    const { kind, tile, start, text } = target;
    const pointed = line === null ? tile : (plan.crossTiles[line] ?? tile);
    const cell = kind === 'visual' ? 0 : null;
    focusToken(architecture, { lane: 'decoder', position: start, kind, tile: pointed, cell, text });
  };
  const leave = () => {
    setAt(null);
    clearFocus();
  };
  const onPointer = (event: PointerEvent<HTMLDivElement>) => {
    const rect = base.current!.getBoundingClientRect();
    const column = Math.floor((event.clientX - rect.left - LABELS) / pitch);
    const line = Math.floor((event.clientY - rect.top) / (ROW + GAP));
    if (column < 0 || column >= columns.length) return leave();
    go(column, line >= 0 && line < plan.crossTiles.length ? line : null);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowUp: -1, ArrowDown: 1, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    go(Math.min(columns.length - 1, Math.max(0, (at?.column ?? -1) + step)), null);
  };

  const column = at ? columns[at.column] : undefined;
  const counts = `${columns.length} rows, ${plan.crossTiles.length} tiles`;
  const said = column ? sentence(column, plan.crossTiles, name) : '';
  return (
    <div className={styles.mask}>
      <div
        ref={box}
        className={styles.scroller}
        role="slider"
        tabIndex={0}
        data-mask={architecture}
        aria-label={`${title}, which rows see which tile: ${counts}`}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, columns.length - 1)}
        aria-valuenow={at?.column ?? 0}
        aria-valuetext={said || summary(columns, plan.crossTiles, name)}
        onPointerMove={onPointer}
        onPointerDown={onPointer}
        onPointerLeave={leave}
        onBlur={leave}
        onKeyDown={onKeyDown}
      >
        <div className={styles.canvases} style={{ width, height }}>
          <canvas ref={base} aria-hidden="true" />
          <canvas ref={overlay} aria-hidden="true" />
        </div>
      </div>
      <p className={styles.said} aria-hidden="true">
        {said || 'Filled: the row below sees the tile on the left.'}
      </p>
    </div>
  );
}

function sentence(column: MaskColumn, crossTiles: number[], name: (tile: number) => string): string {
  const sight = describeSight(column, crossTiles, name);
  if (column.kind === 'visual' && column.tile !== null) {
    const rows = `Rows ${column.start}–${column.end - 1}`;
    return `${rows}, visual tokens of ${name(column.tile)}: ${sight.replace(/^sees/, 'see')}`;
  }
  const owner = column.kind === 'tag' && column.tile !== null ? `, tag of ${name(column.tile)},` : '';
  return `Row ${column.start} “${visibleText(column.text)}”${owner} ${sight}`;
}

/** Neighbouring rows with the same kind and sight, said once. */
function summary(columns: MaskColumn[], crossTiles: number[], name: (tile: number) => string): string {
  const parts: string[] = [];
  for (const column of columns) {
    const subject = column.kind === 'text' ? 'text' : `${column.kind} of ${column.tile === null ? 'the image' : name(column.tile)}`;
    const part = `${subject} ${describeSight(column, crossTiles, name)}`;
    if (parts.at(-1) !== part) parts.push(part);
  }
  return parts.join('; ');
}

/** What is written below a column; nothing when columns are too narrow for letters. */
function wordsOf(column: MaskColumn, pitch: number): string {
  if (column.kind === 'visual') return `×${column.end - column.start} visual`;
  return pitch >= SPACE_FOR_WORDS ? visibleText(column.text) : '';
}

function wordsHeight(columns: MaskColumn[], pitch: number, ink: Ink): number {
  const measure = measureWords(ink.font);
  return Math.max(SHORTEST_WORDS, ...columns.map((column) => measure(wordsOf(column, pitch)))) + 4;
}

function drawMask(
  context: CanvasRenderingContext2D,
  shown: Shown,
  crossTiles: number[],
  columns: MaskColumn[],
  pitch: number,
  ink: Ink,
): void {
  const { tiles } = shown.inspection.tiling;
  context.textBaseline = 'middle';
  context.imageSmoothingEnabled = false;
  crossTiles.forEach((tile, line) => {
    const y = line * (ROW + GAP);
    const picture = shown.pictures[tile];
    if (picture) context.drawImage(picture.mosaic, 0, y, ROW, ROW);
    context.font = `700 11px ${ink.font}`;
    context.fillStyle = ink.visualInk;
    const mark = tileMark(tiles, tile);
    const markWidth = context.measureText(mark).width + 6;
    context.fillRect(0, y, markWidth, 14);
    context.fillStyle = ink.surface;
    context.fillText(mark, 3, y + 7.5);
    columns.forEach((column, index) => {
      context.fillStyle = column.sees[line] ? (column.kind === 'tag' ? ink.tagInk : ink.visualInk) : ink.faint;
      context.globalAlpha = column.sees[line] ? 1 : 0.55;
      context.fillRect(LABELS + index * pitch + 0.5, y, Math.max(1, pitch - 1.5), ROW);
    });
    context.globalAlpha = 1;
  });
  const top = crossTiles.length * (ROW + GAP) + 4;
  context.font = `11px ${ink.font}`;
  columns.forEach((column, index) => {
    const words = wordsOf(column, pitch);
    context.save();
    context.translate(LABELS + index * pitch + pitch / 2, top);
    context.rotate(Math.PI / 2);
    context.fillStyle = inkOf(ink, column.kind).ink;
    if (words) context.fillText(words, 0, 0);
    else context.fillRect(0, -pitch / 2 + 0.5, 6, pitch - 1);
    context.restore();
  });
}
