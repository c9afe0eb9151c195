import { useEffect, useRef, useState, type CSSProperties } from 'react';
import { Segmented } from '../components/Segmented.tsx';
import { EnlargedTile } from './EnlargedTile.tsx';
import { ExportButtons } from './ExportButtons.tsx';
import { clearFocus, enlargeTile, focusTile, useFocus } from './focus-store.ts';
import { VIEW_STOPS, type ViewStop } from './settings.ts';
import { stageLayout, type Rect } from './stage-layout.ts';
import styles from './Stage.module.css';
import { describeTile, tileMark, tileNumber } from './tile-names.ts';
import { pictureFor } from './tile-pictures.ts';
import { TilePixels } from './TilePixels.tsx';
import type { Shown } from './use-inspection.ts';
import { useSize } from './use-size.ts';

interface Props {
  shown: Shown;
  view: ViewStop;
  onView: (view: ViewStop) => void;
}

const SEEN_WHOLE_MS = 450;
const STOP_TITLES: Record<ViewStop, string> = { original: 'Original', resized: 'Resized', tiles: 'Tiles' };

/** The picture on its way from its own proportions, over the canvas it is resized to, to separate tiles. */
export function Stage({ shown, view, onView }: Props) {
  const [box, size] = useSize<HTMLDivElement>();
  const stop = VIEW_STOPS.indexOf(view);
  const [pull, setPull] = useState(stop);
  const [dragging, setDragging] = useState(false);
  const latestStop = useRef(stop);
  latestStop.current = stop;
  const enlarged = useFocus((state) => state.enlarged);
  const preview = useFocus((state) => state.preview);
  useEffect(() => setPull(stop), [stop]);
  const { id } = shown.image;
  useEffect(() => {
    // A new picture is first seen whole, then taken to where the view stands.
    setPull(0);
    const timer = setTimeout(() => setPull(latestStop.current), SEEN_WHOLE_MS);
    return () => clearTimeout(timer);
  }, [id]);

  const { tiling } = shown.inspection;
  const { cols, rows } = tiling.grid;
  const thumbnail = tiling.tiles.length > cols * rows;
  const regular = tiling.tiles.filter((tile) => !tile.thumbnail);
  const letters = Math.max(...regular.map((tile) => tile.tag.length));
  const placed = { ...size, image: tiling.image, cols, rows, thumbnail, letters };
  const layout = stageLayout({ ...placed, pull });
  const visibleTiles = tiling.tiles.filter((tile) => pull > 1 || !(thumbnail && tile.thumbnail));
  const release = () => {
    setDragging(false);
    onView(VIEW_STOPS[Math.round(pull)] ?? 'tiles');
    setPull(Math.round(pull));
  };

  return (
    <div className={styles.card}>
      <div className={styles.stops}>
        <Segmented
          legend="View of the picture"
          value={view}
          options={VIEW_STOPS.map((value) => ({ value, label: STOP_TITLES[value] }))}
          onChange={onView}
        />
        <input
          type="range"
          aria-label="Pull the picture apart"
          aria-valuetext={STOP_TITLES[VIEW_STOPS[Math.round(pull)] ?? 'tiles']}
          min={0}
          max={2}
          step={0.01}
          value={pull}
          onKeyDown={(event) => {
            const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
            if (step === undefined) return;
            event.preventDefault();
            onView(VIEW_STOPS[Math.min(2, Math.max(0, stop + step))] ?? view);
          }}
          onChange={(event) => {
            setDragging(true);
            setPull(Number(event.target.value));
          }}
          onPointerUp={release}
          onPointerCancel={release}
          onBlur={() => dragging && release()}
        />
        <ExportButtons shown={shown} />
      </div>
      <div
        ref={box}
        className={styles.stage}
        data-still={dragging || undefined}
        data-captions={(layout.captions && pull === 2) || undefined}
        onPointerLeave={clearFocus}
      >
        {size.width > 0 && (
          <>
            <Original shown={shown} rect={layout.picture} opacity={pull >= 1 ? 0 : 1 - pull} />
            {visibleTiles.map(({ index, thumbnail: isThumbnail }) => (
              <StageTile
                key={index}
                shown={shown}
                index={index}
                rect={layout.tiles[isThumbnail ? cols * rows : tileNumber(tiling.tiles, index) - 1]!}
                opacity={Math.min(1, pull)}
              />
            ))}
            {preview && <Preview shown={shown} {...preview} rect={stageLayout({ ...placed, pull: 0 }).picture} />}
          </>
        )}
        {enlarged !== null && enlarged < tiling.tiles.length && <EnlargedTile shown={shown} index={enlarged} />}
      </div>
    </div>
  );
}

function place(rect: Rect): CSSProperties {
  return { left: rect.x, top: rect.y, width: rect.width, height: rect.height };
}

function Original({ shown, rect, opacity }: { shown: Shown; rect: Rect; opacity: number }) {
  if (!shown.original) return null;
  return (
    <div className={styles.original} style={{ ...place(rect), opacity }}>
      <TilePixels source={shown.original} shownAt={Math.max(rect.width, rect.height)} />
    </div>
  );
}

interface StageTileProps {
  shown: Shown;
  index: number;
  rect: Rect;
  /** Of the resized pixels over the original ones. */
  opacity: number;
}

function StageTile({ shown, index, rect, opacity }: StageTileProps) {
  const { tiles } = shown.inspection.tiling;
  const button = useRef<HTMLButtonElement>(null);
  const lit = useFocus((state) => state.tile === index);
  const cell = useFocus((state) => (state.tile === index ? state.cell : null));
  const enlarged = useFocus((state) => state.enlarged === index);
  const wasEnlarged = useRef(false);
  useEffect(() => {
    if (wasEnlarged.current && !enlarged) button.current?.focus();
    wasEnlarged.current = enlarged;
  }, [enlarged]);
  const tag = tiles[index]?.tag ?? '';
  const side = Math.max(rect.width, rect.height);
  return (
    <button
      ref={button}
      type="button"
      className={styles.tile}
      data-lit={lit || undefined}
      data-tile={index}
      style={place(rect)}
      aria-label={`${describeTile(tiles, index)}. Enlarge`}
      onClick={() => enlargeTile(index)}
      onFocus={() => focusTile(index)}
      onBlur={clearFocus}
      onPointerMove={(event) => {
        if (event.pointerType === 'mouse') focusTile(index, cellUnder(event, shown.across));
      }}
    >
      <span className={styles.pixels} style={{ opacity: shown.original ? opacity : 1 }}>
        <TilePixels source={pictureFor(shown.pictures[index]!, side)} shownAt={side} />
      </span>
      {cell !== null && <CellMark cell={cell} across={shown.across} />}
      <span className={styles.mark} aria-hidden="true">
        {tileMark(tiles, index)}
      </span>
      <span className={styles.tag} aria-hidden="true">
        {tag || (tiles[index]?.thumbnail ? 'thumbnail' : 'no tag')}
      </span>
    </button>
  );
}

function cellUnder(event: { clientX: number; clientY: number; currentTarget: HTMLElement }, across: number): number {
  const rect = event.currentTarget.getBoundingClientRect();
  const at = (value: number, length: number) => Math.min(across - 1, Math.max(0, Math.floor((value / length) * across)));
  return at(event.clientY - rect.top, rect.height) * across + at(event.clientX - rect.left, rect.width);
}

/** The patch of pixels that became one visual token. */
function CellMark({ cell, across }: { cell: number; across: number }) {
  const unit = 100 / across;
  const style = {
    left: `${(cell % across) * unit}%`,
    top: `${Math.floor(cell / across) * unit}%`,
    width: `${unit}%`,
    height: `${unit}%`,
  };
  return <span className={styles.cellMark} style={style} aria-hidden="true" />;
}

/** Another grid, tried on the picture as it came. */
function Preview({ shown, cols, rows, rect }: { shown: Shown; cols: number; rows: number; rect: Rect }) {
  const cells = Array.from({ length: cols * rows }, (_, index) => <span key={index} />);
  const style = {
    ...place(rect),
    gridTemplateColumns: `repeat(${cols}, 1fr)`,
    gridTemplateRows: `repeat(${rows}, 1fr)`,
  };
  const whole = shown.original ?? shown.pictures.at(-1)!.pixels;
  return (
    <div className={styles.preview} aria-hidden="true">
      <div className={styles.original} style={place(rect)}>
        <TilePixels source={whole} shownAt={Math.max(rect.width, rect.height)} />
      </div>
      <div className={styles.grid} style={style}>
        {cells}
      </div>
    </div>
  );
}
