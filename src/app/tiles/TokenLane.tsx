import { useEffect, useLayoutEffect, useMemo, useRef, type KeyboardEvent, type PointerEvent } from 'react';
import { clearFocus, focusToken, useFocus, type ArchitectureId, type FocusState } from './focus-store.ts';
import { inkOf, useInk, type Ink } from './ink.ts';
import { measureWords, WORD_FONT_SIZE, WORD_PADDING } from './measure-words.ts';
import { tileMark, tileName } from './tile-names.ts';
import {
  describeToken,
  jumpPositions,
  laneLength,
  layoutLane,
  tokenAt,
  tokenUnder,
  type BlockBox,
  type Lane,
  type LaneLayout,
  type TokenBlock,
} from './token-lane.ts';
import styles from './TokenLane.module.css';
import type { Shown } from './use-inspection.ts';
import { prepareCanvas, useSize } from './use-size.ts';

interface Props {
  shown: Shown;
  architecture: ArchitectureId;
  lane: Lane;
  label: string;
  blocks: TokenBlock[];
  /** Side of a tile's token grid in CSS pixels. */
  side: number;
}

const MARGIN = 3;
/** Tokens a side up to which their mean colours would show nothing, so the patches themselves are drawn. */
const COARSEST_MOSAIC = 8;

/**
 * One run of tokens, drawn: words as chips, visual tokens as the mosaic of their tile. A slider walks it token by
 * token.
 */
export function TokenLane({ shown, architecture, lane, label, blocks, side }: Props) {
  const [box, size] = useSize<HTMLDivElement>();
  const base = useRef<HTMLCanvasElement>(null);
  const overlay = useRef<HTMLCanvasElement>(null);
  const ink = useInk();
  const { tiles } = shown.inspection.tiling;
  const total = laneLength(blocks);
  const name = (tile: number) => tileName(tiles, tile);

  const width = Math.max(0, size.width - 2 * MARGIN);
  const layout = useMemo(() => {
    if (width === 0) return null;
    return layoutLane(blocks, width, Math.min(side, width), measureWords(ink.font));
  }, [blocks, width, side, ink.font]);
  const height = (layout?.height ?? 0) + 2 * MARGIN;

  useLayoutEffect(() => {
    if (!base.current || !overlay.current || !layout) return;
    const context = prepareCanvas(base.current, size.width, height);
    prepareCanvas(overlay.current, size.width, height).translate(MARGIN, MARGIN);
    context.translate(MARGIN, MARGIN);
    drawLane(context, layout, shown, ink);
  }, [layout, size.width, height, shown, ink]);

  useEffect(() => {
    if (!layout) return;
    let frame = 0;
    const draw = () => {
      frame = 0;
      const context = overlay.current?.getContext('2d');
      if (!context) return;
      context.clearRect(-MARGIN, -MARGIN, size.width + MARGIN, height + MARGIN);
      drawFocus(context, layout, useFocus.getState(), architecture, lane, shown.across, ink);
    };
    draw();
    const unsubscribe = useFocus.subscribe(() => {
      frame ||= requestAnimationFrame(draw);
    });
    return () => {
      unsubscribe();
      cancelAnimationFrame(frame);
    };
  }, [layout, size.width, height, architecture, lane, shown, ink]);

  const current = useFocus((state) =>
    state.token?.architecture === architecture && state.token.lane === lane ? state.token.position : null,
  );
  const currentToken = current === null ? null : tokenAt(lane, blocks, current);

  const onPointer = (event: PointerEvent<HTMLDivElement>) => {
    const rect = event.currentTarget.getBoundingClientRect();
    const token = layout && tokenUnder(lane, layout, event.clientX - rect.left - MARGIN, event.clientY - rect.top - MARGIN);
    if (token) focusToken(architecture, token);
    else clearFocus();
  };
  const goTo = (position: number) => {
    const token = tokenAt(lane, blocks, Math.min(total - 1, Math.max(0, position)));
    if (token) focusToken(architecture, token);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const target = keyTarget(event.key, current, total, shown.across, currentToken?.kind === 'visual', jumpPositions(blocks));
    if (target === null) return;
    event.preventDefault();
    goTo(target);
  };

  return (
    <div
      ref={box}
      className={styles.lane}
      style={{ height: layout ? height : undefined }}
      role="slider"
      tabIndex={0}
      data-lane={`${architecture}-${lane}`}
      aria-label={`${label}, ${total} tokens`}
      aria-valuemin={0}
      aria-valuemax={Math.max(0, total - 1)}
      aria-valuenow={current ?? 0}
      aria-valuetext={currentToken ? describeToken(currentToken, shown.across, name) : laneSummary(blocks, name)}
      onPointerMove={onPointer}
      onPointerDown={onPointer}
      onPointerLeave={(event) => event.pointerType === 'mouse' && clearFocus()}
      onFocus={(event) => event.currentTarget.matches(':focus-visible') && goTo(current ?? 0)}
      onBlur={clearFocus}
      onKeyDown={onKeyDown}
    >
      <canvas ref={base} aria-hidden="true" />
      <canvas ref={overlay} aria-hidden="true" />
    </div>
  );
}

function keyTarget(key: string, current: number | null, total: number, across: number, inGrid: boolean, jumps: number[]): number | null {
  const at = current ?? 0;
  switch (key) {
    case 'ArrowRight':
      return current === null ? 0 : at + 1;
    case 'ArrowLeft':
      return at - 1;
    case 'ArrowDown':
      return at + (inGrid ? across : 1);
    case 'ArrowUp':
      return at - (inGrid ? across : 1);
    case 'PageDown':
      return jumps.find((position) => position > at) ?? total - 1;
    case 'PageUp':
      return jumps.findLast((position) => position < at) ?? 0;
    case 'Home':
      return 0;
    case 'End':
      return total - 1;
    default:
      return null;
  }
}

/** The lane in a sentence, for those who do not see it. */
function laneSummary(blocks: TokenBlock[], name: (tile: number) => string): string {
  const parts = blocks.map(({ kind, words, visual, tile }) => {
    const said = words.length > 0 ? `${words.length} ${kind} tokens` : '';
    const seen = visual && tile !== null ? `${visual.count} visual tokens of ${name(tile)}` : '';
    return [said, seen].filter(Boolean).join(', ');
  });
  return parts.join('; ');
}

function drawLane(context: CanvasRenderingContext2D, layout: LaneLayout, shown: Shown, ink: Ink): void {
  context.font = `${WORD_FONT_SIZE}px ${ink.font}`;
  context.textBaseline = 'middle';
  for (const box of layout.boxes) {
    const words = inkOf(ink, box.block.kind === 'visual' ? 'tag' : box.block.kind);
    for (const word of box.words) {
      context.fillStyle = words.fill;
      context.beginPath();
      context.roundRect(word.x, word.y, word.width, word.height, 4);
      context.fill();
      context.fillStyle = words.ink;
      context.fillText(word.shown, word.x + WORD_PADDING, word.y + word.height / 2 + 0.5);
    }
    drawMosaic(context, box, shown, ink);
  }
}

function drawMosaic(context: CanvasRenderingContext2D, box: BlockBox, shown: Shown, ink: Ink): void {
  const { visual } = box;
  const { tile } = box.block;
  const picture = tile === null ? undefined : shown.pictures[tile];
  if (!visual || tile === null || !picture) return;
  const coarse = shown.across <= COARSEST_MOSAIC;
  context.imageSmoothingEnabled = coarse;
  context.drawImage(coarse ? picture.small : picture.mosaic, visual.x, visual.y, visual.width, visual.height);
  const unit = visual.width / shown.across;
  if (unit >= 4) {
    context.strokeStyle = ink.surface;
    context.globalAlpha = 0.35;
    context.lineWidth = 0.5;
    context.beginPath();
    for (let line = 1; line < shown.across; line++) {
      context.moveTo(visual.x + line * unit, visual.y);
      context.lineTo(visual.x + line * unit, visual.y + visual.height);
      context.moveTo(visual.x, visual.y + line * unit);
      context.lineTo(visual.x + visual.width, visual.y + line * unit);
    }
    context.stroke();
    context.globalAlpha = 1;
  }
  context.strokeStyle = ink.visualInk;
  context.lineWidth = 1.5;
  context.strokeRect(visual.x, visual.y, visual.width, visual.height);
  const mark = tileMark(shown.inspection.tiling.tiles, tile);
  const width = Math.ceil(context.measureText(mark).width) + 8;
  context.fillStyle = ink.visualInk;
  context.fillRect(visual.x, visual.y, width, 15);
  context.fillStyle = ink.surface;
  context.fillText(mark, visual.x + 4, visual.y + 8);
}

function drawFocus(
  context: CanvasRenderingContext2D,
  layout: LaneLayout,
  focus: FocusState,
  architecture: ArchitectureId,
  lane: Lane,
  across: number,
  ink: Ink,
): void {
  const { tile, cell, token } = focus;
  const here = token?.architecture === architecture && token.lane === lane ? token.position : null;
  if (tile === null && here === null) return;
  context.strokeStyle = ink.focus;
  for (const { block, words, visual } of layout.boxes) {
    const lit = tile !== null && block.tile === tile;
    for (const word of words) {
      if (!lit && word.position !== here) continue;
      context.lineWidth = word.position === here ? 2.5 : 1.25;
      context.beginPath();
      context.roundRect(word.x, word.y, word.width, word.height, 4);
      context.stroke();
    }
    if (!visual || !lit) continue;
    context.lineWidth = 2.5;
    context.strokeRect(visual.x - 0.5, visual.y - 0.5, visual.width + 1, visual.height + 1);
    if (cell === null) continue;
    const unit = visual.width / across;
    const size = Math.max(unit, 5);
    const x = visual.x + ((cell % across) + 0.5) * unit - size / 2;
    const y = visual.y + (Math.floor(cell / across) + 0.5) * unit - size / 2;
    context.lineWidth = 4;
    context.strokeStyle = ink.surface;
    context.strokeRect(x, y, size, size);
    context.lineWidth = 2;
    context.strokeStyle = ink.focus;
    context.strokeRect(x, y, size, size);
  }
}
