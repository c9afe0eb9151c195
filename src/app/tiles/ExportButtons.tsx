import { useState } from 'react';
import { toPlainError, type PlainError } from '../../errors.ts';
import { Button } from '../components/Button.tsx';
import { Problem } from '../components/Notice.tsx';
import { useApp } from '../state/hooks.ts';
import { contactSheet, encodeCanvas, exportName, jsonFile, saveBlob } from './export-files.ts';
import styles from './ExportButtons.module.css';
import type { Shown } from './use-inspection.ts';

export function ExportButtons({ shown }: { shown: Shown }) {
  const [error, setError] = useState<PlainError | null>(null);
  const showToast = useApp((state) => state.showToast);
  const { name } = shown.image;
  const attempt = (work: () => Promise<void>) => {
    setError(null);
    work().catch((problem: unknown) => setError(toPlainError(problem)));
  };
  return (
    <div className={styles.exports}>
      <Button
        icon="download"
        size="small"
        title="The tiles on one sheet"
        onClick={() => attempt(async () => saveBlob(await encodeCanvas(contactSheet(shown)), exportName(name, 'tiles.png')))}
      >
        PNG
      </Button>
      <Button
        icon="download"
        size="small"
        title="The numbers, as nvlm inspect --json prints them"
        onClick={() => saveBlob(jsonFile(shown), exportName(name, 'tiles.json'))}
      >
        JSON
      </Button>
      <Button
        icon="copy"
        size="small"
        title="Copy a link to this view"
        onClick={() =>
          attempt(async () => {
            await navigator.clipboard.writeText(window.location.href);
            const isExample = shown.image.origin.kind === 'example';
            showToast(isExample ? 'Link copied: it opens this very view.' : 'Link copied: settings are in it, your picture is not.');
          })
        }
      >
        Link
      </Button>
      {error && <Problem error={error} onDismiss={() => setError(null)} />}
    </div>
  );
}
