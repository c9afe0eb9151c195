import { useEffect, useState } from 'react';
import type { LoadedModel, ModelEntry } from '../../engine/api.ts';
import { Button } from '../components/Button.tsx';
import { Dialog } from '../components/Dialog.tsx';
import { LoadMeter } from '../components/LoadMeter.tsx';
import { Notice, Problem } from '../components/Notice.tsx';
import { formatBytes, formatCount, formatDuration, formatParameters } from '../format.ts';
import { useApp } from '../state/hooks.ts';
import styles from './ModelsScreen.module.css';

const ARCHITECTURES: Record<ModelEntry['architecture'], { name: string; words: string }> = {
  NVLM_D: { name: 'NVLM-D', words: 'Decoder only: all tiles unrolled into the sequence, each behind its tag.' },
  NVLM_X: { name: 'NVLM-X', words: 'Gated cross-attention: tags stand in the text, each tag sees its own tile.' },
  NVLM_H: { name: 'NVLM-H', words: 'Hybrid: the thumbnail in the sequence, regular tiles through cross-attention.' },
};

const STORAGE_WORDS: Record<NonNullable<ModelEntry['storage']>, string> = {
  opfs: 'this browser’s private files (OPFS)',
  cache: 'this browser’s cache storage',
  memory: 'memory, until the tab is closed',
  files: 'files',
};

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
  return (
    <div className={styles.screen}>
      <header>
        <h1>Models</h1>
        <p className={styles.lead}>
          The same tiny vision encoder and decoder in the three architectures of the family, made for this playground.
          They know one drawn world: capital letters, digits and the point, one a 28-pixel cell, six shapes in six
          colours, and bars. A photograph gets a confident wrong answer.
        </p>
      </header>
      {models === null ? (
        <p className={styles.waiting}>Asking the engine what there is…</p>
      ) : (
        <ul className={styles.list}>
          {models.map((entry) => (
            <li key={entry.id}>
              <ModelCard entry={entry} />
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function ModelCard({ entry }: { entry: ModelEntry }) {
  const loading = useApp((state) => (state.loading?.id === entry.id ? state.loading : null));
  const failure = useApp((state) => (state.modelError?.id === entry.id ? state.modelError.error : null));
  const loaded = useApp((state) => (state.loadedModel?.entry.id === entry.id ? state.loadedModel : null));
  const selectModel = useApp((state) => state.selectModel);
  const unloadModel = useApp((state) => state.unloadModel);
  const cancelLoad = useApp((state) => state.cancelLoad);
  const [deleting, setDeleting] = useState(false);
  const architecture = ARCHITECTURES[entry.architecture];

  return (
    <article className={styles.card} aria-label={entry.title}>
      <header className={styles.head}>
        <h2>{entry.title}</h2>
        <span className={styles.badge}>{architecture.name}</span>
        {loaded && (
          <span className={styles.badge} data-tone="on">
            loaded
          </span>
        )}
      </header>
      <p className={styles.words}>{architecture.words}</p>
      <dl className={styles.facts}>
        <Fact name="Parameters" value={formatParameters(entry.parameters)} />
        <Fact name="Download" value={formatBytes(entry.bytes)} />
        <Fact name="Stored" value={storedWords(entry)} />
        {loaded && (
          <Fact
            name="On the device"
            value={`${formatBytes(loaded.weightBytes)}, loaded in ${formatDuration(loaded.loadMs)}`}
          />
        )}
        {loaded && <Fact name="Takes" value={takesWords(loaded)} />}
      </dl>
      <Notice tone="info">{entry.note}</Notice>
      {loading && <LoadMeter name={entry.title} progress={loading.progress} onCancel={cancelLoad} />}
      {failure && <Problem error={failure} />}
      <div className={styles.actions}>
        {loaded ? (
          <Button onClick={() => void unloadModel()}>Unload</Button>
        ) : (
          <Button
            variant="primary"
            icon="download"
            disabled={loading !== null}
            onClick={() => void selectModel(entry.id)}
          >
            Load
          </Button>
        )}
        <Button
          variant="danger"
          icon="trash"
          disabled={entry.storedBytes === 0 || loading !== null}
          onClick={() => setDeleting(true)}
        >
          Delete stored
        </Button>
      </div>
      {deleting && <DeleteDialog entry={entry} onClose={() => setDeleting(false)} />}
    </article>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function takesWords({ maxTiles, tileSize, tokensPerTile, contextLength }: LoadedModel): string {
  const context = `${formatCount(contextLength)} tokens in all`;
  return `${maxTiles} tiles of ${tileSize} px, ${tokensPerTile} tokens each; ${context}`;
}

function storedWords({ storage, storedBytes }: ModelEntry): string {
  if (storage === null || storedBytes === 0) return 'not yet';
  return `${formatBytes(storedBytes)} in ${STORAGE_WORDS[storage]}`;
}

function DeleteDialog({ entry, onClose }: { entry: ModelEntry; onClose(): void }) {
  const deleteStored = useApp((state) => state.deleteStoredModel);
  const showToast = useApp((state) => state.showToast);
  return (
    <Dialog title={`Delete the stored bytes of ${entry.title}?`} onClose={onClose}>
      <p>
        {formatBytes(entry.storedBytes)} become free. A loaded model stays loaded. The next load fetches the files again
        from where this page comes from.
      </p>
      <div className={styles.actions}>
        <Button
          variant="danger"
          icon="trash"
          onClick={async () => {
            onClose();
            await deleteStored(entry.id);
            showToast(`Stored bytes of ${entry.title} deleted.`);
          }}
        >
          Delete
        </Button>
        <Button onClick={onClose}>Keep</Button>
      </div>
    </Dialog>
  );
}
