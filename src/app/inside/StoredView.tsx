import { useState } from 'react';
import { tileName } from '../tiles/tile-names.ts';
import type { Shown } from '../tiles/use-inspection.ts';
import { AnswerTokens } from './AnswerTokens.tsx';
import { largestIn, lookMap, peakOf, rowsMean, rowsOf } from './cells.ts';
import { HeatPicture } from './HeatPicture.tsx';
import styles from './InsideScreen.module.css';
import { Shares } from './Shares.tsx';
import { nats, percent } from './token-words.ts';
import type { Stored } from './use-stored.ts';
import { worthOf } from './use-worth.ts';

/** An example's answer as it was found ahead, while its model is on the way: the mean over layers and heads, and what tiles are worth. */
export function StoredView({ stored: { about, looks, worth }, shown, waiting }: { stored: Stored; shown: Shown | null; waiting: string }) {
  const [token, setToken] = useState<number | null>(null);
  const rows = rowsOf(about, token);
  const map = lookMap(about, rowsMean(looks, rows));
  const peak = peakOf(map);
  const tiles = about.layout!.tiles;
  const description = peak
    ? `The model looked most at ${tileName(tiles, peak.tile)}: ${percent(peak.value)} on one cell.`
    : 'No cell is read.';
  const worths = worthOf(worth, token).map((value, tile) => `${tileName(tiles, tile)} ${nats(value!)}`);
  return (
    <>
      <p role="status" className={styles.note}>
        A stored result, as this model gave it; {waiting}
      </p>
      <div className={styles.columns}>
        <section className={styles.card} aria-label="Where it looked">
          <h2>Where it looked</h2>
          {shown && shown.pictures.length === tiles.length && (
            <HeatPicture
              shown={shown}
              layout={about.layout!}
              view="joined"
              map={map}
              largest={largestIn(map)}
              labels={map.map((cells) => (cells ? percent(cells.reduce((sum, value) => sum + value, 0)) : ''))}
              words={null}
              focus={null}
              description={description}
            />
          )}
          <p className={styles.readout}>{description}</p>
          <p className={styles.note}>Worth, in nats of log p: {worths.join(', ')}.</p>
        </section>
        <div className={styles.side}>
          <section className={styles.card} aria-label="Answer">
            <h2 className={styles.answer}>{about.text}</h2>
            <AnswerTokens answer={about.answer} token={token} onToken={setToken} />
          </section>
          <section className={styles.card} aria-label="Attention">
            <h2>Where the attention went</h2>
            <Shares about={about} looks={looks} rows={rows} how="mean" />
          </section>
        </div>
      </div>
    </>
  );
}
