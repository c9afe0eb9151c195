import { useEffect } from 'react';
import type { ModelEntry } from '../../engine/api.ts';
import { useApp } from '../state/hooks.ts';
import { AddModel } from './AddModel.tsx';
import { ModelCard } from './ModelCard.tsx';
import styles from './ModelsScreen.module.css';
import { StorageView } from './StorageView.tsx';

const REFRESH_MS = 2000;

export default function ModelsScreen() {
  const models = useApp((state) => state.models);
  const refreshModels = useApp((state) => state.refreshModels);
  // Files are written behind a load, and other tabs load and delete too.
  useEffect(() => {
    void refreshModels();
    const timer = setInterval(() => void refreshModels(), REFRESH_MS);
    return () => clearInterval(timer);
  }, [refreshModels]);
  const own = models?.filter(({ source }) => source.kind !== 'bundled') ?? [];
  return (
    <div className={styles.screen}>
      <h1>Models</h1>
      <section className={styles.section} aria-labelledby="bundled">
        <h2 id="bundled">Bundled</h2>
        <p className={styles.lead}>
          The same tiny vision encoder and decoder in the three architectures of the family, made for this playground. They know one drawn
          world: capital letters, digits and the point, one a 28-pixel cell, six shapes in six colours, and bars. A photograph gets a
          confident wrong answer.
        </p>
        {models === null ? (
          <p className={styles.waiting}>Asking the engine what there is…</p>
        ) : (
          <ModelList models={models.filter(({ source }) => source.kind === 'bundled')} />
        )}
      </section>
      <section className={styles.section} aria-labelledby="yours">
        <h2 id="yours">Yours</h2>
        {own.length === 0 ? (
          <p className={styles.waiting}>None yet. What you add below and load is listed here.</p>
        ) : (
          <ModelList models={own} />
        )}
      </section>
      <AddModel />
      <StorageView />
    </div>
  );
}

function ModelList({ models }: { models: ModelEntry[] }) {
  return (
    <ul className={styles.list}>
      {models.map((entry) => (
        <li key={entry.id}>
          <ModelCard entry={entry} />
        </li>
      ))}
    </ul>
  );
}
