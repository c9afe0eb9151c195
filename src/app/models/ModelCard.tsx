import { useState } from 'react';
import type { LoadedModel, ModelEntry } from '../../engine/api.ts';
import { Button } from '../components/Button.tsx';
import { Dialog } from '../components/Dialog.tsx';
import { LoadMeter } from '../components/LoadMeter.tsx';
import { Notice, Problem } from '../components/Notice.tsx';
import { formatBytes, formatCount, formatDuration, formatParameters } from '../format.ts';
import { useApp } from '../state/hooks.ts';
import styles from './ModelCard.module.css';

const STORAGE_WORDS: Record<NonNullable<ModelEntry['storage']>, string> = {
  opfs: 'this browser’s private files (OPFS)',
  cache: 'this browser’s cache storage',
  memory: 'memory, until the tab is closed',
  files: 'files',
};

/** A model that is here, or on its way. */
export function ModelCard({ entry }: { entry: ModelEntry }) {
  const loading = useApp((state) => (state.loading?.id === entry.id ? state.loading : null));
  const failure = useApp((state) => (state.modelError?.id === entry.id ? state.modelError.error : null));
  const loaded = useApp((state) => (state.loadedModel?.entry.id === entry.id ? state.loadedModel : null));
  const openModel = useApp((state) => state.openModel);
  const planModel = useApp((state) => state.planModel);
  const unloadModel = useApp((state) => state.unloadModel);
  const cancelLoad = useApp((state) => state.cancelLoad);
  const [deleting, setDeleting] = useState(false);
  const own = entry.source.kind !== 'bundled';

  return (
    <article className={styles.card} aria-label={entry.title}>
      <header className={styles.head}>
        <h3>{entry.title}</h3>
        <span className={styles.badge}>{entry.family.title}</span>
        {loaded && (
          <span className={styles.badge} data-tone="on">
            loaded
          </span>
        )}
      </header>
      {own ? <p className={styles.id}>{entry.id}</p> : <p className={styles.words}>{entry.family.words}</p>}
      <dl className={styles.facts}>
        {entry.parameters > 0 && <Fact name="Parameters" value={formatParameters(entry.parameters)} />}
        <Fact name="Download" value={formatBytes(entry.bytes)} />
        <Fact name="Stored" value={storedWords(entry)} />
        {loaded && <Fact name="On the device" value={`${formatBytes(loaded.weightBytes)}, loaded in ${formatDuration(loaded.loadMs)}`} />}
        {loaded && <Fact name="Takes" value={takesWords(loaded)} />}
      </dl>
      <Notice tone="info">{entry.note}</Notice>
      {loaded?.notKept && (
        <Notice tone="warn">
          Its files are not kept: the next visit downloads them again. {loaded.notKept.message} {loaded.notKept.fix}
        </Notice>
      )}
      {loaded?.warnings.map((warning) => (
        <Notice key={warning} tone="warn">
          {warning}
        </Notice>
      ))}
      {loading && <LoadMeter name={entry.title} progress={loading.progress} onCancel={cancelLoad} />}
      {failure && <Problem error={failure} />}
      <div className={styles.actions}>
        <Button variant="primary" icon="download" disabled={loading !== null || loaded !== null} onClick={() => void openModel(entry.id)}>
          {loadWords(entry)}
        </Button>
        {own && (
          <Button disabled={loading !== null} onClick={() => void planModel(entry.source, entry.settings ?? {})}>
            Plan
          </Button>
        )}
        {entry.source.kind !== 'files' && entry.source.kind !== 'run' && (
          <Button variant="danger" icon="trash" disabled={entry.storedBytes === 0 || loading !== null} onClick={() => setDeleting(true)}>
            Delete stored
          </Button>
        )}
        {/* Behind the others: it comes by itself, and must not slip under a press that was meant for one of them. */}
        {loaded && <Button onClick={() => void unloadModel()}>Unload</Button>}
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

/** What a press on Load does: download, go on with one, or none of both. */
function loadWords({ source, storedBytes, bytes }: ModelEntry): string {
  const isDownload = source.kind === 'hub' || source.kind === 'url';
  if (!isDownload || storedBytes === 0 || storedBytes >= bytes) return 'Load';
  return `Load: goes on at ${Math.floor((100 * storedBytes) / bytes)} %`;
}

function takesWords({ entry, maxTiles, tileSize, tokensPerTile, contextLength }: LoadedModel): string {
  const context = `${formatCount(contextLength)} tokens in all`;
  if (!entry.takesPictures) return `text alone; ${context}`;
  return `${maxTiles} tiles of ${tileSize} px, ${tokensPerTile} tokens each; ${context}`;
}

function storedWords({ source, storage, storedBytes }: ModelEntry): string {
  if (source.kind === 'files') return 'on your disk, open until this tab is closed';
  if (source.kind === 'run') return 'with its run';
  if (storage === null || storedBytes === 0) return 'not yet';
  return `${formatBytes(storedBytes)} in ${STORAGE_WORDS[storage]}`;
}

function DeleteDialog({ entry, onClose }: { entry: ModelEntry; onClose(): void }) {
  const deleteStored = useApp((state) => state.deleteStoredModel);
  const showToast = useApp((state) => state.showToast);
  return (
    <Dialog title={`Delete the stored bytes of ${entry.title}?`} onClose={onClose}>
      <p>
        {formatBytes(entry.storedBytes)} become free. A loaded model stays loaded. The next load fetches the files again from where they
        came from.
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
