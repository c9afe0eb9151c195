import { useState } from 'react';
import type { InsideTrace } from '../../engine/inside/inside-api.ts';
import { toPlainError, type PlainError } from '../../errors.ts';
import { Button } from '../components/Button.tsx';
import { Problem } from '../components/Notice.tsx';
import { useApp, useEngine } from '../state/hooks.ts';
import { exportName, saveBlob } from '../tiles/export-files.ts';
import type { Shown } from '../tiles/use-inspection.ts';
import { jsonFile, pngFile, svgFile, type SceneNumbers } from './export-files.ts';
import styles from './InsideScreen.module.css';
import type { InsideSettings } from './settings.ts';
import type { WorthState } from './use-worth.ts';

interface Props {
  about: InsideTrace;
  shown: Shown;
  question: string;
  settings: InsideSettings;
  scene: SceneNumbers;
  worth: { tiles: WorthState['worth']; cells: WorthState['worth'] };
  description: string;
}

/** The view as a picture, as vectors, as numbers, and as a link. */
export function ExportButtons({ about, shown, question, settings, scene, worth, description }: Props) {
  const engine = useEngine();
  const showToast = useApp((state) => state.showToast);
  const [error, setError] = useState<PlainError | null>(null);
  const attempt = (work: () => Promise<void>) => {
    setError(null);
    work().catch((problem: unknown) => setError(toPlainError(problem)));
  };
  const { name, origin } = shown.image;
  const caption = `${question} → ${about.text.replaceAll('\n', ' / ')} · ${description}`;
  const save = (make: () => Promise<Blob>, suffix: string) => attempt(async () => saveBlob(await make(), exportName(name, suffix)));
  return (
    <div className={styles.progress}>
      <Button icon="download" size="small" onClick={() => save(() => pngFile(about, shown, scene, caption), 'inside.png')}>
        PNG
      </Button>
      <Button icon="download" size="small" onClick={() => save(() => svgFile(about, shown, scene, caption), 'inside.svg')}>
        SVG
      </Button>
      <Button
        icon="download"
        size="small"
        title="Raw weights with the layout of the tiles"
        onClick={() => save(() => jsonFile(engine, about, question, settings, worth), 'inside.json')}
      >
        JSON
      </Button>
      <Button
        icon="copy"
        size="small"
        onClick={() =>
          attempt(async () => {
            await navigator.clipboard.writeText(window.location.href);
            showToast(
              origin.kind === 'example' ? 'Link copied: it opens this very view.' : 'Link copied: the view is in it, your picture is not.',
            );
          })
        }
      >
        Link
      </Button>
      {error && <Problem error={error} onDismiss={() => setError(null)} />}
    </div>
  );
}
