import { useId } from 'react';
import { Notice, Problem } from '../components/Notice.tsx';
import { Segmented } from '../components/Segmented.tsx';
import { plural } from '../format.ts';
import { hrefWith, useRoute } from '../router.ts';
import { useApp, useSharedImage } from '../state/hooks.ts';
import type { SharedImage } from '../state/image-slice.ts';
import { ComposePicture } from './ComposePicture.tsx';
import { ExampleGallery } from './ExampleGallery.tsx';
import styles from './PicturePanel.module.css';
import { PictureStrip } from './PictureStrip.tsx';
import { PictureSources } from './PictureSources.tsx';
import { useModelKind } from './use-model-kind.ts';
import { useObjectUrl } from './use-object-url.ts';

export function PicturePanel() {
  const image = useSharedImage();
  const more = useApp((state) => state.moreImages);
  const pending = useApp((state) => state.imagePending);
  const error = useApp((state) => state.imageError);
  const dismiss = useApp((state) => state.dismissImageError);
  const shelf = useApp((state) => state.shelf);
  const setShelf = useApp((state) => state.setShelf);
  const { takesPictures } = useModelKind();
  const words = useId();
  return (
    <div className={styles.panel}>
      <Preview image={image} pending={pending} />
      <PictureStrip />
      {[...(image ? [image] : []), ...more].map(
        ({ id, name, notice }) =>
          notice && (
            <Notice key={id} tone="warn" role="status">
              <p>
                {name}: {notice}.
              </p>
            </Notice>
          ),
      )}
      {!takesPictures && (
        <p id={words} className={styles.blind}>
          The model in use is a text model: it takes no pictures, and questions go to it without this one.
        </p>
      )}
      {error && <Problem error={error} onDismiss={dismiss} />}
      <fieldset
        className={styles.sources}
        disabled={!takesPictures}
        aria-label="Choose a picture"
        aria-describedby={takesPictures ? undefined : words}
      >
        <PictureSources />
        <div className={styles.shelf}>
          <Segmented
            legend="More pictures"
            value={shelf}
            options={[
              { value: 'examples', label: 'Examples' },
              { value: 'own', label: 'Type your own' },
            ]}
            onChange={setShelf}
          />
          {shelf === 'examples' ? <ExampleGallery /> : <ComposePicture />}
        </div>
      </fieldset>
    </div>
  );
}

function Preview({ image, pending }: { image: SharedImage | null; pending: string | null }) {
  const route = useRoute();
  const model = useApp((state) => state.selectedModel);
  const question = useApp((state) => state.turns.at(-1)?.question ?? null);
  const url = useObjectUrl(image);
  return (
    <figure className={styles.preview} aria-busy={pending !== null}>
      <div className={styles.frame}>
        {image && url && (
          <>
            <img src={url} alt={image.description ?? `The picture in question: ${image.name}`} />
            <TileLines image={image} />
          </>
        )}
        {pending && (
          <p className={styles.pending} role="status">
            Decoding {pending}…
          </p>
        )}
      </div>
      <figcaption className={styles.caption}>
        <span className={styles.name} title={image?.name}>
          {image?.name ?? 'Drawing the first picture…'}
        </span>
        <a href={hrefWith('tiles', { geometry: model, prompt: question }, route)}>See how it was tiled</a>
        <span className={styles.numbers}>{image ? describeTiles(image) : '…'}</span>
      </figcaption>
    </figure>
  );
}

/** Where the picture is cut: drawn in the same box and fitted in the same way, so the lines lie where they belong. */
function TileLines({ image: { width, height, tiles } }: { image: SharedImage }) {
  const inner = (count: number) => Array.from({ length: count - 1 }, (_, i) => (i + 1) / count);
  const path = [
    ...inner(tiles.cols).map((part) => `M${part * width} 0V${height}`),
    ...inner(tiles.rows).map((part) => `M0 ${part * height}H${width}`),
  ].join('');
  return (
    <svg className={styles.lines} viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
      <path d={path} />
      <path d={path} />
    </svg>
  );
}

function describeTiles({ width, height, tiles }: SharedImage): string {
  const regular = tiles.cols * tiles.rows;
  const cut = tiles.count > regular ? `${plural(regular, 'tile')} + thumbnail` : plural(regular, 'tile');
  return `${width} × ${height} px · ${cut} · ${plural(tiles.visualTokens, 'visual token')}`;
}
