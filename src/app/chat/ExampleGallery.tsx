import { useEffect, useRef, useState } from 'react';
import type { DeskExample } from '../../desk/examples.ts';
import { plural } from '../format.ts';
import { useApp, useSharedImage } from '../state/hooks.ts';
import styles from './ExampleGallery.module.css';
import { exampleOffer, loadExamples } from './examples.ts';
import { paintPicture } from './picture-file.ts';

export function ExampleGallery() {
  const [examples, setExamples] = useState<DeskExample[] | null>(null);
  const image = useSharedImage();
  const offerImage = useApp((state) => state.offerImage);
  const shown = image?.origin.kind === 'example' ? image.origin.id : null;
  useEffect(() => {
    void loadExamples().then(setExamples);
  }, []);
  if (!examples) return <p>Drawing the examples…</p>;
  return (
    <ul className={styles.gallery}>
      {examples.map((example) => (
        <li key={example.id}>
          <button
            type="button"
            aria-pressed={example.id === shown}
            onClick={async () => {
              if (example.id !== shown) await offerImage(await exampleOffer(example));
            }}
          >
            <Thumbnail example={example} />
            <span className={styles.title}>{example.title}</span>
            <span className={styles.tiles}>{plural(example.tiles, 'tile')}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

function Thumbnail({ example }: { example: DeskExample }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    // A task for each, so that ten pictures do not hold up the page.
    const timer = setTimeout(() => canvas.current && paintPicture(canvas.current, example.draw()));
    return () => clearTimeout(timer);
  }, [example]);
  return <canvas ref={canvas} width={112} height={112} aria-hidden="true" />;
}
