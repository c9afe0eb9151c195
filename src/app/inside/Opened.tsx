import { useState } from 'react';
import type { InsideChanges, InsideTrace, PictureLayout } from '../../engine/inside/inside-api.ts';
import { Button } from '../components/Button.tsx';
import { Problem } from '../components/Notice.tsx';
import { Segmented } from '../components/Segmented.tsx';
import { formatDuration } from '../format.ts';
import { tileName, tileNumber } from '../tiles/tile-names.ts';
import type { Shown } from '../tiles/use-inspection.ts';
import { AnswerTokens } from './AnswerTokens.tsx';
import { columnOf, keyOfCell, largestIn, lookMap, meanRow, peakOf, rowsMean, rowsOf, type CellMap } from './cells.ts';
import { Changes } from './Changes.tsx';
import { ExportButtons } from './ExportButtons.tsx';
import { HeadGrid } from './HeadGrid.tsx';
import { HeatPicture, type CellFocus } from './HeatPicture.tsx';
import styles from './InsideScreen.module.css';
import { isChanged, type InsideSettings, type Show } from './settings.ts';
import { Shares } from './Shares.tsx';
import { TintedText } from './TintedText.tsx';
import { nats, percent, tokenWords } from './token-words.ts';
import { useLens } from './use-lens.ts';
import { useHeads, useLooks } from './use-looks.ts';
import { useWorth, worthOf } from './use-worth.ts';

interface Props {
  about: InsideTrace;
  shown: Shown | null;
  question: string;
  settings: InsideSettings;
  onChange: (patch: Partial<InsideSettings>) => void;
}

const SHOW_WORDS: Record<Show, { label: string; hint: string }> = {
  look: { label: 'Where it looked', hint: 'Attention: how much each cell was read. It is no proof that the cell mattered' },
  worth: { label: 'What tiles are worth', hint: 'How much less likely the answer is with a tile painted over' },
  cells: { label: 'What cells are worth', hint: 'The same for every cell, on its tile and on the thumbnail both' },
  lens: { label: 'What cells say', hint: 'The logit lens: the word nearest to each visual token' },
};

/** An answer that is open in the engine, seen from all sides. */
export function Opened({ about, shown: cut, question, settings, onChange }: Props) {
  const { layer, head, how, show, view } = settings;
  const token = settings.token === null ? null : Math.min(settings.token, about.answer.length - 1);
  const [focus, setFocus] = useState<CellFocus | null>(null);
  const { looks, error } = useLooks(about, { layer, head, how });
  const heads = useHeads(about, token, layer);
  const tileWorth = useWorth(about, 'tiles', show === 'worth');
  const cellWorth = useWorth(about, 'cells', show === 'cells');
  const lensLayer = Math.min(settings.lensLayer ?? 0, about.layers.self.length - 1);
  const lens = useLens(about, lensLayer, show === 'lens');
  const layout = about.layout;
  const shown =
    cut && layout && cut.pictures.length === layout.tiles.length
      ? { ...cut, pictures: picturesIn(layout, settings.changes.order, cut.pictures) }
      : null;
  const rows = rowsOf(about, token);

  const map: CellMap = layout ? mapOf() : [];
  const largest = show === 'lens' ? 1 : largestIn(map);
  const words = show === 'lens' && lens.lens && layout ? wordsOf(lens.lens.cells, layout.tiles.length) : null;
  const sums = layout ? map.map((cells) => (cells && show === 'look' ? cells.reduce((sum, value) => sum + value, 0) : null)) : [];
  const labels = layout ? layout.tiles.map((_, tile) => labelOf(tile)) : [];
  const description = describe();

  function mapOf(): CellMap {
    const cells = layout!.cellsAcross ** 2;
    if (show === 'look') return looks ? lookMap(about, rowsMean(looks, rows)) : [];
    if (show === 'worth')
      return worthOf(tileWorth.worth, token).map((value) => (value === null ? null : new Float32Array(cells).fill(value)));
    if (show === 'lens') return lens.lens ? lensMap(lens.lens.cells, layout!.tiles.length, cells) : [];
    const known = worthOf(cellWorth.worth, token);
    return layout!.tiles.map(({ thumbnail, index }) => {
      if (thumbnail || known.length === 0) return null;
      const from = (tileNumber(layout!.tiles, index) - 1) * cells;
      return Float32Array.from(known.slice(from, from + cells), (value) => value ?? 0);
    });
  }

  function labelOf(tile: number): string {
    if (show === 'look') return sums[tile] === null || sums[tile] === undefined || how === 'max' ? '' : percent(sums[tile]);
    if (show === 'worth') return map[tile] ? nats(map[tile][0]!) : '';
    return '';
  }

  function describe(): string {
    const tiles = layout?.tiles ?? [];
    const of = token === null ? 'the whole answer' : `“${tokenWords(about.answer[token]!.text)}”`;
    const place = ({ tile, cell }: CellFocus) => {
      const across = layout!.cellsAcross;
      return `${tileName(tiles, tile)}, row ${Math.floor(cell / across) + 1}, column ${(cell % across) + 1}`;
    };
    if (show === 'lens') return lens.lens ? `What each cell says after layer ${lensLayer + 1}.` : 'The logit lens.';
    const peak = peakOf(map);
    if (!peak) return show === 'look' ? `No cell is read for ${of} here.` : `What the picture is worth for ${of}: not known yet.`;
    if (show === 'look') return `For ${of}, the model looked most at ${place(peak)}: ${percent(peak.value)}.`;
    if (show === 'worth') return `For ${of}, ${tileName(tiles, peak.tile)} is worth most: without it, log p falls by ${nats(peak.value)}.`;
    return `For ${of}, the cell worth most is ${place(peak)}: without it, log p falls by ${nats(peak.value)}.`;
  }

  const at = focus && layout ? keyOfCell(about, focus.tile, focus.cell) : null;
  const tint = new Map<number, number>();
  if (at && looks?.[at.kind])
    columnOf(looks[at.kind]!, at.key).forEach((value, row) =>
      tint.set(about.rows[row]! + (row >= about.rows.length - about.answer.length ? 1 : 0), value),
    );
  else if (looks?.self) for (const { position } of about.prompt) tint.set(position, meanRow(looks.self, rows)[position]!);
  const text = at ? 'Who looked at this cell' : `Which words were read for ${token === null ? 'the answer' : 'this token'}`;

  return (
    <div className={styles.columns}>
      <div className={styles.sights}>
        {layout && (
          <section className={styles.card} aria-labelledby="inside-picture">
            <header className={styles.header}>
              <h2 id="inside-picture">{SHOW_WORDS[show].label}</h2>
              <Segmented
                legend="The tiles"
                value={view}
                options={[
                  { value: 'joined', label: 'Joined' },
                  { value: 'tiles', label: 'As cut' },
                ]}
                onChange={(next) => onChange({ view: next })}
              />
            </header>
            <Segmented<Show>
              legend="What is drawn on the picture"
              value={show}
              options={(['look', 'worth', 'cells', 'lens'] as const).map((value) => ({
                value,
                ...SHOW_WORDS[value],
                disabled: value === 'lens' && !about.hasLens,
              }))}
              onChange={(next) => onChange({ show: next })}
            />
            {shown && (
              <HeatPicture
                shown={shown}
                layout={layout}
                view={view}
                map={map}
                largest={largest}
                labels={labels}
                words={words}
                focus={focus}
                onFocus={setFocus}
                description={description}
              />
            )}
            <p className={styles.readout} aria-live="polite" data-testid="inside-readout">
              {focus ? readOut(focus) : description}
            </p>
            {show === 'worth' && <WorthControls worth={tileWorth} what="tiles" count={layout.tiles.length} />}
            {show === 'cells' && (
              <WorthControls worth={cellWorth} what="cells" count={layout.grid.cols * layout.grid.rows * layout.cellsAcross ** 2} />
            )}
            {show === 'lens' && (
              <LensControls about={about} layer={lensLayer} lens={lens} onLayer={(next) => onChange({ lensLayer: next })} />
            )}
            {!about.hasLens && <p className={styles.note}>{NO_LENS}</p>}
            {shown && (
              <ExportButtons
                about={about}
                shown={shown}
                settings={settings}
                question={question}
                scene={{ view, map, largest, labels, words }}
                worth={{ tiles: tileWorth.worth, cells: cellWorth.worth }}
                description={description}
              />
            )}
          </section>
        )}
        <section className={`${styles.card} ${styles.text}`} aria-label="Text">
          <TintedText about={about} tint={tint} title={text} />
        </section>
      </div>
      <div className={styles.side}>
        <section className={styles.card} aria-labelledby="inside-answer">
          <h2 id="inside-answer" className={styles.answer}>
            {about.text || '∅'}
          </h2>
          {isChanged(settings.changes) && (
            <p className={styles.changed}>
              This is the answer under changes.{' '}
              <Button size="small" variant="quiet" onClick={() => onChange({ changes: {}, token: null })}>
                Undo them
              </Button>
            </p>
          )}
          <AnswerTokens answer={about.answer} token={token} onToken={(next) => onChange({ token: next })} />
        </section>
        {error && <Problem error={error} />}
        <section className={styles.card} aria-label="Attention">
          <h2>Where the attention went</h2>
          {looks && <Shares about={about} looks={looks} rows={rows} how={how} />}
          <HeadGrid
            about={about}
            heads={layout ? heads : null}
            layer={layer}
            head={head}
            how={how}
            onPick={onChange}
            onHow={(next) => onChange({ how: next })}
          />
        </section>
        {(layout || about.gates.length > 0) && (
          <section className={styles.card} aria-labelledby="inside-changes">
            <h2 id="inside-changes">Answer again, changed</h2>
            <Changes about={about} changes={settings.changes} onLookInside={(changes) => onChange({ changes, said: null, token: null })} />
          </section>
        )}
        <p className={styles.note}>{WHAT_IT_DOES_NOT_PROVE}</p>
      </div>
    </div>
  );

  function readOut({ tile, cell }: CellFocus): string {
    const across = layout!.cellsAcross;
    const place = `${tileName(layout!.tiles, tile)}, row ${Math.floor(cell / across) + 1}, column ${(cell % across) + 1}`;
    const said = lens.lens?.cells.find((one) => one.tile === tile && one.cell === cell);
    if (show === 'lens') return said ? `${place}: ${JSON.stringify(said.text)}, ${percent(said.p)}` : `${place}: stands in no sequence`;
    const value = map[tile]?.[cell];
    if (value === undefined) return show === 'look' ? `${place}: not read at this layer` : `${place}: not known`;
    return show === 'look' ? `${place}: ${percent(value)}` : `${place}: log p falls by ${nats(value)} without it`;
  }
}

const NO_LENS =
  'In this answer no cell of the picture stands in the sequence, so there is no residual stream to read words from (the logit lens).';
const WHAT_IT_DOES_NOT_PROVE =
  'Attention says what was read, not what mattered: values may be small where weights are large, and later layers read what earlier ones have written elsewhere. Worth says what changes when a part is gone, which is closer to a cause, but painting over is itself a picture the model has never seen.';

function wordsOf(cells: readonly { tile: number; cell: number; text: string }[], tiles: number): (string[] | null)[] {
  const words: (string[] | null)[] = Array.from({ length: tiles }, () => null);
  for (const { tile, cell, text } of cells) (words[tile] ??= [])[cell] = tokenWords(text);
  return words;
}

function lensMap(cells: readonly { tile: number; cell: number; p: number }[], tiles: number, perTile: number): CellMap {
  const map: CellMap = Array.from({ length: tiles }, () => null);
  for (const { tile, cell, p } of cells) (map[tile] ??= new Float32Array(perTile))[cell] = p;
  return map;
}

/** What stands at each place of the sequence: shuffled tiles stand at others' places. */
function picturesIn({ tiles }: PictureLayout, order: InsideChanges['order'], pictures: Shown['pictures']): Shown['pictures'] {
  if (!order) return pictures;
  const regular = tiles.filter(({ thumbnail }) => !thumbnail).map(({ index }) => index);
  return pictures.map((picture, index) => {
    const number = regular.indexOf(index);
    return number < 0 ? picture : pictures[regular[order[number]!]!]!;
  });
}

interface WorthControlsProps {
  worth: ReturnType<typeof useWorth>;
  what: 'tiles' | 'cells';
  count: number;
}

function WorthControls({ worth, what, count }: WorthControlsProps) {
  if (worth.error)
    return (
      <Problem
        error={worth.error}
        actions={
          <Button size="small" onClick={worth.start}>
            Try again
          </Button>
        }
      />
    );
  if (worth.running) {
    return (
      <p className={styles.progress} role="status">
        <progress max={count} value={worth.done} aria-label={`Painting ${what} over`} /> {worth.done} of {count}
        <Button size="small" icon="stop" onClick={worth.stop}>
          Stop
        </Button>
      </p>
    );
  }
  if (worth.worth.some((one) => one !== null) && worth.done === count)
    return (
      <p className={styles.note}>
        In nats of log p: 0.69 halves the probability. A part painted over can also help: then it is below zero.
      </p>
    );
  return (
    <p className={styles.progress}>
      <Button size="small" icon="play" onClick={worth.start}>
        Paint {count} {what} over, one by one
      </Button>
      <span className={styles.note}>about {formatDuration(worth.ms)}</span>
    </p>
  );
}

function LensControls({
  about,
  layer,
  lens,
  onLayer,
}: {
  about: InsideTrace;
  layer: number;
  lens: ReturnType<typeof useLens>;
  onLayer: (layer: number) => void;
}) {
  return (
    <div className={styles.progress}>
      <label>
        after layer{' '}
        <input
          type="range"
          min={0}
          max={about.layers.self.length - 1}
          value={layer}
          onChange={(event) => onLayer(event.target.valueAsNumber)}
        />{' '}
        {layer + 1}
      </label>
      {lens.running && (
        <Button size="small" icon="stop" onClick={lens.stop}>
          Stop
        </Button>
      )}
      {!lens.running && !lens.lens && !lens.error && (
        <Button size="small" icon="play" onClick={lens.start}>
          Read this layer (about {formatDuration(about.lensMs)})
        </Button>
      )}
      {lens.error && <Problem error={lens.error} />}
      <span className={styles.note}>
        In large models the words blur with depth: the last layers prepare what comes next, not what is there.
      </span>
    </div>
  );
}
