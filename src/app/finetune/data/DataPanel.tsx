import { useState } from 'react';
import type { DatasetSummary } from '../../../datasets/types.ts';
import type { ModelSource } from '../../../engine/api.ts';
import { Button, IconButton } from '../../components/Button.tsx';
import { Problem } from '../../components/Notice.tsx';
import { formatBytes, plural } from '../../format.ts';
import { useApp } from '../../state/hooks.ts';
import { AddData } from './AddData.tsx';
import { dataClient } from './data-client.ts';
import styles from './DataPanel.module.css';
import { DatasetView } from './DatasetView.tsx';
import { ImportNotice } from './ImportNotice.tsx';
import { useDatasets } from './use-dataset.ts';
import { useImport } from './use-import.ts';

/** Datasets of this browser: bring data in, write questions and answers, choose one to train from. */
export function DataPanel({
  datasetId,
  onSelect,
  model,
}: {
  datasetId: string | null;
  /** null: back to the list. */
  onSelect(id: string | null): void;
  /** Whose tokenizer and tiles the preview shows. */
  model: ModelSource;
}) {
  const { datasets, refresh, error } = useDatasets();
  // Counts what came in, for the records on show to be asked for anew.
  const [version, setVersion] = useState(0);
  const importing = useImport(datasetId, (id) => {
    refresh();
    setVersion((count) => count + 1);
    onSelect(id);
  });
  return (
    <div className={styles.panel}>
      {datasetId === null ? (
        <>
          <AddData importing={importing} large />
          {error && <Problem error={error} />}
          {datasets !== null && datasets.length > 0 && <DatasetList datasets={datasets} onSelect={onSelect} onChanged={refresh} />}
        </>
      ) : (
        <>
          <div className={styles.bar}>
            <Button size="small" variant="quiet" onClick={() => (refresh(), onSelect(null))}>
              ← All datasets
            </Button>
          </div>
          {importing.report && <ImportNotice report={importing.report} onDismiss={importing.dismiss} />}
          <DatasetView
            key={datasetId}
            id={datasetId}
            version={version}
            model={model}
            add={<AddData importing={importing} large={false} />}
          />
        </>
      )}
    </div>
  );
}

function DatasetList({ datasets, onSelect, onChanged }: { datasets: DatasetSummary[]; onSelect(id: string): void; onChanged(): void }) {
  const showToast = useApp((state) => state.showToast);
  async function remove({ id, title }: DatasetSummary): Promise<void> {
    await dataClient.remove(id);
    onChanged();
    showToast(`“${title}” deleted`, { label: 'Undo', run: () => void dataClient.restore(id).then(onChanged) });
  }
  return (
    <section aria-label="Datasets in this browser" className={styles.lists}>
      <h2>In this browser</h2>
      <ul className={styles.datasets}>
        {datasets.map((dataset) => (
          <li key={dataset.id} className={styles.dataset}>
            <button type="button" className={styles.open} onClick={() => onSelect(dataset.id)}>
              <strong>{dataset.title}</strong>
              <span>
                {plural(dataset.records, 'record')}, {plural(dataset.pictures, 'picture')}, {dataset.heldOut} held out ·{' '}
                {formatBytes(dataset.bytes)}
              </span>
            </button>
            <IconButton icon="trash" label={`Delete ${dataset.title}`} onClick={() => void remove(dataset)} />
          </li>
        ))}
      </ul>
    </section>
  );
}
