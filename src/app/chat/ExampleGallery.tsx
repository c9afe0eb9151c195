import { useEffect, useState } from 'react';
import type { ExampleCard } from '../../../workers/desk-pictures.ts';
import { plural } from '../format.ts';
import { useApp, usePictures, useSharedImage } from '../state/hooks.ts';
import styles from './ExampleGallery.module.css';
import { exampleOffer } from './examples.ts';
import { useObjectUrl } from './use-object-url.ts';

/** Places held until the examples are known, so that nothing jumps when they come. */
const PLACES = 10;

export function ExampleGallery() {
  const pictures = usePictures();
  const [cards, setCards] = useState<ExampleCard[] | null>(null);
  const image = useSharedImage();
  const offerLater = useApp((state) => state.offerLater);
  const reportImageError = useApp((state) => state.reportImageError);
  const shown = image?.origin.kind === 'example' ? image.origin.id : null;
  useEffect(() => {
    pictures.examples().then(setCards, reportImageError);
  }, [pictures, reportImageError]);
  if (!cards) return <Places />;
  return (
    <ul className={styles.gallery}>
      {cards.map((card) => (
        <li key={card.id}>
          <button
            type="button"
            className={styles.card}
            aria-pressed={card.id === shown}
            onClick={() => {
              if (card.id !== shown) void offerLater(card.title, () => exampleOffer(pictures, card));
            }}
          >
            <Thumbnail id={card.id} />
            <span className={styles.title}>{card.title}</span>
            <span className={styles.tiles}>{plural(card.tiles, 'tile')}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

function Thumbnail({ id }: { id: string }) {
  const pictures = usePictures();
  const [file, setFile] = useState<{ bytes: Uint8Array; type: string } | null>(null);
  useEffect(() => {
    let gone = false;
    pictures.exampleFile(id).then(
      (bytes) => gone || setFile({ bytes, type: 'image/png' }),
      () => undefined, // The gallery has said so already, or will when the example is chosen.
    );
    return () => {
      gone = true;
    };
  }, [pictures, id]);
  const url = useObjectUrl(file);
  return url ? <img src={url} alt="" /> : <span />;
}

function Places() {
  return (
    <>
      <p className="unseen">Drawing the examples…</p>
      <ul className={styles.gallery} aria-hidden="true">
        {Array.from({ length: PLACES }, (_, place) => (
          <li key={place}>
            <div className={styles.card}>
              <span />
              <span className={styles.title}>&nbsp;</span>
              <span className={styles.tiles}>&nbsp;</span>
            </div>
          </li>
        ))}
      </ul>
    </>
  );
}
