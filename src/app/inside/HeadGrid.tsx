import { useLayoutEffect, useRef } from 'react';
import type { HeadAttention, InsideTrace } from '../../engine/inside/inside-api.ts';
import { KINDS, lookMap } from './cells.ts';
import { HEAT } from './draw-heat.ts';
import styles from './HeadGrid.module.css';
import type { Heads } from './use-looks.ts';

interface Props {
  about: InsideTrace;
  heads: Heads | null;
  layer: number | null;
  head: number | null;
  how: 'mean' | 'max';
  onPick: (choice: { layer: number | null; head: number | null }) => void;
  onHow: (how: 'mean' | 'max') => void;
}

/** Every head of every layer as a small picture of where it looked; one is picked by a click or from the lists. */
export function HeadGrid({ about, heads, layer, head, how, onPick, onHow }: Props) {
  const layers = [...new Set(KINDS.flatMap((kind) => heads?.[kind]?.layers ?? []))].sort((a, b) => a - b);
  const all = [...new Set([...about.layers.self, ...about.layers.cross])].sort((a, b) => a - b);
  return (
    <div className={styles.grid}>
      <div className={styles.choice}>
        <label>
          Layer{' '}
          <select value={layer ?? ''} onChange={(event) => onPick({ layer: numberOf(event.target.value), head })}>
            <option value="">all</option>
            {all.map((one) => (
              <option key={one} value={one}>
                {one + 1}
                {about.layers.cross.includes(one) ? ' ×' : ''}
              </option>
            ))}
          </select>
        </label>
        <label>
          Head{' '}
          <select value={head ?? ''} onChange={(event) => onPick({ layer, head: numberOf(event.target.value) })}>
            <option value="">all</option>
            {Array.from({ length: about.heads }, (_, one) => (
              <option key={one} value={one}>
                {one + 1}
              </option>
            ))}
          </select>
        </label>
        <label>
          Put together by{' '}
          <select value={how} onChange={(event) => onHow(event.target.value === 'max' ? 'max' : 'mean')}>
            <option value="mean">mean</option>
            <option value="max">maximum</option>
          </select>
        </label>
      </div>
      {heads && layers.length > 0 && <Multiples about={about} heads={heads} layers={layers} layer={layer} head={head} onPick={onPick} />}
    </div>
  );
}

function numberOf(text: string): number | null {
  return text === '' ? null : Number(text);
}

/** Of the drawing, in its own pixels: one a cell. */
const GAP = 1;

function Multiples({
  about,
  heads,
  layers,
  layer,
  head,
  onPick,
}: Omit<Props, 'how' | 'onHow' | 'heads'> & { heads: Heads; layers: number[] }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { grid, cellsAcross: across, tiles } = about.layout!;
  const hasThumbnail = tiles.some(({ thumbnail }) => thumbnail);
  const cellWidth = grid.cols * across + (hasThumbnail ? across + GAP : 0) + 2 * GAP;
  const cellHeight = Math.max(grid.rows, 1) * across + 2 * GAP;
  const width = about.heads * cellWidth;
  const height = layers.length * cellHeight;

  useLayoutEffect(() => {
    const context = canvas.current!.getContext('2d')!;
    canvas.current!.width = width;
    canvas.current!.height = height;
    const image = context.createImageData(width, height);
    const [red, green, blue] = [1, 3, 5].map((at) => parseInt(HEAT.positive.slice(at, at + 2), 16));
    layers.forEach((one, row) => {
      for (let column = 0; column < about.heads; column++) {
        const map = lookMap(about, { self: weightsOf(heads.self, one, column), cross: weightsOf(heads.cross, one, column) });
        const largest = Math.max(...map.map((cells) => cells?.reduce((most, value) => Math.max(most, value), 0) ?? 0), 1e-9);
        map.forEach((cells, tile) =>
          cells?.forEach((value, cell) => {
            const { col, row: tileRow, thumbnail } = tiles[tile]!;
            const x = column * cellWidth + GAP + (thumbnail ? grid.cols * across + GAP : col * across) + (cell % across);
            const y = row * cellHeight + GAP + (thumbnail ? 0 : tileRow * across) + Math.floor(cell / across);
            const at = 4 * (y * width + x);
            image.data.set([red!, green!, blue!, Math.round(24 + 231 * Math.sqrt(value / largest))], at);
          }),
        );
      }
    });
    context.putImageData(image, 0, 0);
  }, [about, heads, layers.join()]);

  const marked = layer === null || head === null ? null : { row: layers.indexOf(layer), column: head };
  return (
    <figure className={styles.figure}>
      <div className={styles.multiples} style={{ aspectRatio: `${width} / ${height}`, maxWidth: Math.min(720, width * 6) }}>
        <canvas
          ref={canvas}
          role="img"
          aria-label={`Where each of ${about.heads} heads of ${layers.length} layers looked: layers from top to bottom, heads from left to right.`}
          onClick={(event) => {
            const rect = event.currentTarget.getBoundingClientRect();
            const column = Math.floor(((event.clientX - rect.left) / rect.width) * about.heads);
            const picked = layers[Math.floor(((event.clientY - rect.top) / rect.height) * layers.length)];
            if (picked === undefined) return;
            onPick(picked === layer && column === head ? { layer: null, head: null } : { layer: picked, head: column });
          }}
        />
        {marked && marked.row >= 0 && (
          <span
            className={styles.mark}
            aria-hidden="true"
            style={{
              left: `${(100 * marked.column) / about.heads}%`,
              top: `${(100 * marked.row) / layers.length}%`,
              width: `${100 / about.heads}%`,
              height: `${100 / layers.length}%`,
            }}
          />
        )}
      </div>
      <figcaption>Layers from top to bottom, heads from left to right; each is drawn against its own largest weight.</figcaption>
    </figure>
  );
}

function weightsOf(attention: HeadAttention | null, layer: number, head: number): Float32Array | undefined {
  if (!attention) return undefined;
  const row = attention.layers.indexOf(layer);
  if (row < 0) return undefined;
  const from = (row * attention.heads + head) * attention.keys;
  return attention.values.subarray(from, from + attention.keys);
}
