import { useEffect, useState } from 'react';
import { ExampleGallery } from '../chat/ExampleGallery.tsx';
import { PictureSources } from '../chat/PictureSources.tsx';
import { suggestionsFor } from '../chat/suggestions.ts';
import { Problem } from '../components/Notice.tsx';
import { Segmented } from '../components/Segmented.tsx';
import { formatCount, plural } from '../format.ts';
import { hrefWith, useRoute } from '../router.ts';
import { useApp, useSharedImage } from '../state/hooks.ts';
import { useAddressState } from '../use-address-state.ts';
import { ArchitectureRow } from './ArchitectureRow.tsx';
import { CandidateChart } from './CandidateChart.tsx';
import { Controls } from './Controls.tsx';
import { MaskPicture } from './MaskPicture.tsx';
import { ReadOut } from './ReadOut.tsx';
import { useForeignModel } from '../models/foreign-model.ts';
import { ForeignShape } from './ForeignShape.tsx';
import { DEFAULT_SETTINGS, paramsFromSettings, settingsFromParams, type TilesSettings } from './settings.ts';
import { Stage } from './Stage.tsx';
import styles from './TilesScreen.module.css';
import { useInspection, type Shown } from './use-inspection.ts';
import { MAX_TILES, TILE_STEP } from '../../tiling/tile-limits.ts';

/** What controls offer until the first picture is cut. */
const FIRST = { maxTiles: 6, tileSize: 448, tagFormat: '1d', mostTiles: MAX_TILES, tileStep: TILE_STEP } as const;

/**
 * What a picture becomes before any model sees it: grid, tiles, tags, tokens and masks. Settings live in the address
 * alone.
 */
export default function TilesScreen() {
  const [settings, change] = useAddressState(settingsFromParams, paramsFromSettings);
  const image = useSharedImage();
  const { source: foreign, isKnown } = useForeignModel(settings.geometry);
  const { shown, pending, error } = useInspection(image, isKnown ? settings : { ...settings, geometry: DEFAULT_SETTINGS.geometry });
  return (
    <div className={styles.screen} aria-busy={pending}>
      <h1 className="unseen">Tiles</h1>
      <div className={styles.bar}>
        <Controls settings={settings} effective={shown?.inspection.geometry ?? FIRST} error={error} onChange={change} />
      </div>
      {foreign && (
        <div className={styles.question}>
          <ForeignShape id={settings.geometry} source={foreign} onRefuse={() => change({ geometry: DEFAULT_SETTINGS.geometry })} />
        </div>
      )}
      {shown ? <Explained shown={shown} settings={settings} onChange={change} /> : <Empty waiting={image !== null && error === null} />}
    </div>
  );
}

interface ExplainedProps {
  shown: Shown;
  settings: TilesSettings;
  onChange: (patch: Partial<TilesSettings>) => void;
}

function Explained({ shown, settings, onChange }: ExplainedProps) {
  const [pictures, setPictures] = useState(false);
  useEffect(() => setPictures(false), [shown.image.id]);
  const words = cutInWords(shown);
  return (
    <div className={styles.columns}>
      <div className={styles.picture}>
        <section className={styles.card} aria-labelledby="tiles-picture">
          <header className={styles.cardHeader}>
            <div>
              <h2 id="tiles-picture" data-testid="cut">
                {words.cut}
              </h2>
              <p className={styles.note}>{words.tokens}</p>
            </div>
            <button type="button" className={styles.other} aria-expanded={pictures} onClick={() => setPictures(!pictures)}>
              Other picture
            </button>
          </header>
          {pictures && <OtherPicture />}
          <ImageProblem />
          <LookInside shown={shown} prompt={settings.prompt} />
          <Stage shown={shown} view={settings.view} onView={(view) => onChange({ view })} />
          <ReadOut shown={shown} />
        </section>
        <div className={styles.card}>
          <CandidateChart key={shown.inspection.tiling.grid.candidates.length} grid={shown.inspection.tiling.grid} />
        </div>
      </div>
      <Sequences shown={shown} />
    </div>
  );
}

/** To the same picture and the model that is selected, seen from inside. */
function LookInside({ shown, prompt }: { shown: Shown; prompt: string }) {
  const route = useRoute();
  const question = prompt || suggestionsFor(shown.image)[0];
  return (
    <p className={styles.note}>
      <a href={hrefWith('inside', { prompt: question ?? null }, route)}>Why? See which tile an answer comes from</a>
    </p>
  );
}

type Zoom = '56' | '80' | '128' | '192';
const ZOOMS: { value: Zoom; label: string }[] = [
  { value: '56', label: 'S' },
  { value: '80', label: 'M' },
  { value: '128', label: 'L' },
  { value: '192', label: 'XL' },
];

function Sequences({ shown }: { shown: Shown }) {
  const [zoom, setZoom] = useState<Zoom>('56');
  const { architectures, plans } = shown.inspection;
  const masks = architectures.filter(({ letter }) => plans[letter]!.crossTiles.length > 0);
  return (
    <div className={styles.sequences}>
      <header className={styles.sequencesHeader}>
        <h2>What each model reads</h2>
        <ul className={styles.legend} aria-label="Colours">
          <li data-kind="text">text</li>
          <li data-kind="tag">tile tag</li>
          <li data-kind="visual">visual tokens</li>
        </ul>
        <Segmented<Zoom> legend="Size of the token grids" value={zoom} options={ZOOMS} onChange={setZoom} />
      </header>
      {architectures.map((architecture) => (
        <ArchitectureRow key={architecture.letter} shown={shown} architecture={architecture} side={Number(zoom)} />
      ))}
      {masks.map(({ letter, title, maskWords }) => (
        <section key={letter} className={styles.card} aria-labelledby={`tiles-mask-${letter}`}>
          <h2 id={`tiles-mask-${letter}`}>{title}: who sees which tile</h2>
          <p className={styles.note}>{maskWords}</p>
          <MaskPicture shown={shown} architecture={letter} title={title} />
        </section>
      ))}
      {shown.inspection.tiling.tiles.length === 1 && (
        <p className={styles.note}>
          With one tile, a hybrid has nothing to cross-attend: the tile stands in its sequence as the thumbnail.
        </p>
      )}
    </div>
  );
}

function cutInWords({ inspection: { tiling, tokens } }: Shown): { cut: string; tokens: string } {
  const { image, grid, options, tiles } = tiling;
  const regular = grid.cols * grid.rows;
  const cut = tiles.length > regular ? `${regular} tiles + thumbnail` : plural(regular, 'tile');
  const size = `${formatCount(image.width)} × ${formatCount(image.height)}`;
  return {
    cut: `${size} → ${cut}`,
    tokens: `${grid.cols} × ${grid.rows} of ${options.tileSize} px · ${formatCount(tokens.visual)} visual tokens`,
  };
}

function OtherPicture() {
  return (
    <div className={styles.sources}>
      <PictureSources />
      <ExampleGallery />
    </div>
  );
}

function ImageProblem() {
  const error = useApp((state) => state.imageError);
  const dismiss = useApp((state) => state.dismissImageError);
  return error && <Problem error={error} onDismiss={dismiss} />;
}

function Empty({ waiting }: { waiting: boolean }) {
  const pending = useApp((state) => state.imagePending);
  if (waiting || pending) {
    return (
      <p className={styles.empty} role="status">
        Cutting {pending ?? 'the picture'}…
      </p>
    );
  }
  return (
    <section className={styles.empty} aria-label="Choose a picture">
      <p>Choose a picture, drop it or paste it: it stays in this tab. No model is needed.</p>
      <ImageProblem />
      <OtherPicture />
    </section>
  );
}
