import { useFocus } from './focus-store.ts';
import styles from './ReadOut.module.css';
import { describeTile, tileName } from './tile-names.ts';
import { describeToken } from './token-lane.ts';
import { TilePixels } from './TilePixels.tsx';
import type { Shown } from './use-inspection.ts';

/** What is pointed at, in a line, with its tile: the same words that the sliders tell a screen reader. */
export function ReadOut({ shown }: { shown: Shown }) {
  const tile = useFocus((state) => state.tile);
  const token = useFocus((state) => state.token);
  const cell = useFocus((state) => state.cell);
  const { tiles } = shown.inspection.tiling;
  const title = shown.inspection.architectures.find(({ letter }) => letter === token?.architecture)?.title;
  const { perTile } = shown.inspection.tokens;
  const words = token
    ? `${title} · ${describeToken(token, shown.across, (index) => tileName(tiles, index))}`
    : tile !== null
      ? `${describeTile(tiles, tile)}${cell === null ? '' : ` · its token ${cell + 1} of ${perTile}`}`
      : 'Point at a token or at a tile: the other lights up.';
  const picture = tile === null ? undefined : shown.pictures[tile];
  const unit = 100 / shown.across;
  return (
    <div className={styles.readOut} data-active={tile !== null || token !== null || undefined} aria-hidden="true">
      <span className={styles.picture}>
        {picture && <TilePixels source={picture.small} shownAt={36} />}
        {picture && cell !== null && (
          <span
            style={{
              left: `${((cell % shown.across) + 0.5) * unit}%`,
              top: `${(Math.floor(cell / shown.across) + 0.5) * unit}%`,
            }}
          />
        )}
      </span>
      <span className={styles.words} data-testid="read-out">
        {words}
      </span>
    </div>
  );
}
