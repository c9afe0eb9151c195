import { useEffect, useRef, type KeyboardEvent, type PointerEvent } from 'react';
import { Button, IconButton } from '../components/Button.tsx';
import styles from './EnlargedTile.module.css';
import { encodeBitmap, saveBlob, tileFileName } from './export-files.ts';
import { enlargeTile, focusTile, useFocus } from './focus-store.ts';
import { describeTile, tileName } from './tile-names.ts';
import { TilePixels } from './TilePixels.tsx';
import type { Shown } from './use-inspection.ts';

/** One tile over the whole stage, with the grid of patches that become its visual tokens. */
export function EnlargedTile({ shown, index }: { shown: Shown; index: number }) {
  const { tiles, options } = shown.inspection.tiling;
  const { across } = shown;
  const cell = useFocus((state) => (state.tile === index ? state.cell : null));
  const surface = useRef<HTMLDivElement>(null);
  useEffect(() => surface.current?.focus(), [index]);
  const name = tileName(tiles, index);
  const patch = options.tileSize / across;

  const under = (event: PointerEvent<HTMLDivElement>) => {
    const rect = event.currentTarget.getBoundingClientRect();
    const col = Math.floor(((event.clientX - rect.left) / rect.width) * across);
    const row = Math.floor(((event.clientY - rect.top) / rect.height) * across);
    if (col >= 0 && row >= 0 && col < across && row < across) focusTile(index, row * across + col);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = cell === null && step === 1 ? 0 : (cell ?? 0) + step;
    focusTile(index, Math.min(across * across - 1, Math.max(0, next)));
  };

  return (
    <div
      className={styles.enlarged}
      role="group"
      aria-label={describeTile(tiles, index)}
      onKeyDown={(event) => {
        if (event.key === 'Escape') enlargeTile(null);
      }}
    >
      <div
        ref={surface}
        className={styles.surface}
        role="slider"
        tabIndex={0}
        aria-label={`Patches of ${name}`}
        aria-valuemin={1}
        aria-valuemax={across * across}
        aria-valuenow={(cell ?? 0) + 1}
        aria-valuetext={cell === null ? 'none chosen' : patchText(cell, across, patch)}
        onPointerMove={under}
        onPointerDown={under}
        onKeyDown={onKeyDown}
      >
        <TilePixels source={shown.pictures[index]!.pixels} />
        <PatchLines across={across} cell={cell} />
      </div>
      <span className={styles.close}>
        <IconButton icon="close" label="Close the enlarged tile" onClick={() => enlargeTile(null)} />
      </span>
      <p className={styles.caption}>
        <code>{tiles[index]?.tag || name}</code>
        <span>
          {cell === null ? `${options.tileSize} × ${options.tileSize} px → ${across} × ${across} tokens` : patchText(cell, across, patch)}
        </span>
      </p>
      <div className={styles.actions}>
        <Button size="small" aria-label="Previous tile" disabled={index === 0} onClick={() => enlargeTile(index - 1)}>
          ‹
        </Button>
        <Button size="small" aria-label="Next tile" disabled={index === tiles.length - 1} onClick={() => enlargeTile(index + 1)}>
          ›
        </Button>
        <Button
          size="small"
          icon="download"
          onClick={() => {
            const file = tileFileName(tiles, index);
            void encodeBitmap(shown.pictures[index]!.pixels).then((blob) => saveBlob(blob, file));
          }}
        >
          Save PNG
        </Button>
      </div>
    </div>
  );
}

function patchText(cell: number, across: number, patch: number): string {
  const x = (cell % across) * patch;
  const y = Math.floor(cell / across) * patch;
  return `token ${cell + 1}: pixels ${x}–${x + patch} across, ${y}–${y + patch} down`;
}

function PatchLines({ across, cell }: { across: number; cell: number | null }) {
  const lines = Array.from({ length: across - 1 }, (_, line) => line + 1);
  return (
    <svg viewBox={`0 0 ${across} ${across}`} className={styles.lines} aria-hidden="true">
      {lines.map((at) => (
        <path key={at} d={`M${at} 0V${across}M0 ${at}H${across}`} />
      ))}
      {cell !== null && <rect x={cell % across} y={Math.floor(cell / across)} width={1} height={1} />}
    </svg>
  );
}
