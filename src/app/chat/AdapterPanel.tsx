import { useEffect, useId, useRef, useState } from 'react';
import type { AdapterEntry, ExportPart } from '../../engine/runs/training-api.ts';
import { Button, IconButton } from '../components/Button.tsx';
import { Problem } from '../components/Notice.tsx';
import { zipped } from '../zip-files.ts';
import { formatBytes, formatCount, plural } from '../format.ts';
import { activeAdapters, STRENGTH_BOUNDS } from '../state/adapter-slice.ts';
import { useApp, useEngine } from '../state/hooks.ts';
import { exportName, saveBlob } from '../tiles/export-files.ts';
import styles from './AdapterPanel.module.css';
import { readPickedAdapter } from './picked-adapter.ts';

/** Which adapters answer and how strongly; what comes in, goes out, and is merged. */
export default function AdapterPanel() {
  const adapters = useApp((state) => state.adapters);
  const error = useApp((state) => state.adapterError);
  const comparing = useApp((state) => state.comparing);
  const setComparing = useApp((state) => state.setComparing);
  const refresh = useApp((state) => state.refreshAdapters);
  const loaded = useApp((state) => state.loadedModel);
  // Whether they fit depends on the model.
  useEffect(() => void refresh(), [refresh, loaded]);
  return (
    <section className={styles.panel} id="adapters" aria-label="Adapters">
      {adapters?.length === 0 && (
        <p className={styles.hint}>
          An adapter is what a fine-tuning run leaves: a few megabytes that change how the model answers. Train one on the Fine-tune screen,
          or import a PEFT LoRA adapter made elsewhere.
        </p>
      )}
      {adapters && adapters.length > 0 && (
        <ul className={styles.list}>
          {adapters.map((entry) => (
            <AdapterRow key={entry.id} entry={entry} />
          ))}
        </ul>
      )}
      {adapters === null && !error && <p className={styles.hint}>Looking for adapters…</p>}
      {error && <Problem error={error} />}
      <div className={styles.actions}>
        <Import />
        <MergedDownload />
        <label className={styles.compare}>
          <input type="checkbox" checked={comparing} onChange={(event) => setComparing(event.target.checked)} /> Compare with the base model
        </label>
      </div>
    </section>
  );
}

function AdapterRow({ entry }: { entry: AdapterEntry }) {
  const { id, title, rank, parameters, base, misfit, from, bytes } = entry;
  const chosen = useApp((state) => state.chosenAdapters.find((one) => one.id === id));
  const choose = useApp((state) => state.chooseAdapter);
  const remove = useApp((state) => state.deleteAdapter);
  const report = useApp((state) => state.reportAdapterError);
  const engine = useEngine();
  const sliderId = useId();
  const strength = chosen?.strength ?? 1;
  const words = strength === 0 ? '0, as the base' : strength.toFixed(2);
  return (
    <li className={`${styles.row} ${misfit ? styles.misfit : ''}`}>
      <label className={styles.name}>
        <input
          type="checkbox"
          checked={(chosen?.on ?? false) && !misfit}
          disabled={misfit !== null}
          onChange={(event) => choose(id, { on: event.target.checked })}
        />{' '}
        <span className={styles.title}>{title}</span>
      </label>
      <div className={styles.strength}>
        <label htmlFor={sliderId}>Strength</label>
        <input
          id={sliderId}
          type="range"
          {...STRENGTH_BOUNDS}
          value={strength}
          disabled={misfit !== null}
          aria-label={`Strength of ${title}`}
          aria-valuetext={words}
          onChange={(event) => choose(id, { strength: Math.round(event.target.valueAsNumber * 100) / 100 })}
        />
        <output htmlFor={sliderId}>{words}</output>
      </div>
      <div className={styles.buttons}>
        <IconButton
          icon="download"
          label={`Export ${title}`}
          onClick={async () => {
            try {
              saveBlob(await zipped(await engine.exportAdapter(id)), `${exportName(title, 'adapter')}.zip`);
            } catch (error) {
              report(error);
            }
          }}
        />
        {from === 'import' && <IconButton icon="trash" label={`Delete ${title}`} onClick={() => void remove(id)} />}
      </div>
      <p className={styles.facts}>
        {misfit ??
          `${from === 'run' ? 'Trained here' : 'Imported'}${base ? `, for ${base}` : ''} · rank ${rank} · ` +
            `${formatCount(parameters)} parameters · ${formatBytes(bytes)}`}
      </p>
    </li>
  );
}

function Import() {
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const importAdapter = useApp((state) => state.importAdapter);
  const count = useApp((state) => state.adapters?.length ?? 0);
  const report = useApp((state) => state.reportAdapterError);
  const [over, setOver] = useState(false);

  async function take(picked: File[]): Promise<void> {
    if (picked.length === 0) return;
    try {
      const [first] = picked;
      const inFolder = first!.webkitRelativePath.split('/')[0];
      const title =
        inFolder || (picked.length === 1 ? first!.name.replace(/\.zip$/i, '') : `Imported adapter${count > 0 ? ` ${count + 1}` : ''}`);
      await importAdapter(title, await readPickedAdapter(picked));
    } catch (error) {
      report(error);
    }
  }

  return (
    <div
      className={`${styles.drop} ${over ? styles.over : ''}`}
      onDragOver={(event) => {
        event.preventDefault();
        event.stopPropagation();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        // Not a picture for the conversation.
        event.preventDefault();
        event.stopPropagation();
        setOver(false);
        void take([...event.dataTransfer.files]);
      }}
    >
      <Button size="small" icon="plus" onClick={() => files.current?.click()}>
        Import files or ZIP
      </Button>
      <Button size="small" variant="quiet" onClick={() => folder.current?.click()}>
        Import a folder
      </Button>
      <input
        ref={files}
        type="file"
        multiple
        hidden
        accept=".json,.safetensors,.zip"
        aria-label="Files of an adapter"
        onChange={(event) => {
          void take([...(event.target.files ?? [])]);
          event.target.value = '';
        }}
      />
      <input
        ref={folder}
        type="file"
        hidden
        {...{ webkitdirectory: '' }}
        aria-label="Folder of an adapter"
        onChange={(event) => {
          void take([...(event.target.files ?? [])]);
          event.target.value = '';
        }}
      />
    </div>
  );
}

/** The model with its adapters in it. Pieces become blobs as they come, so the page's heap holds one at a time. */
function MergedDownload() {
  const engine = useEngine();
  const loaded = useApp((state) => state.loadedModel);
  const count = useApp((state) => activeAdapters(state).length);
  const chosen = useApp((state) => state.chosenAdapters);
  const adapters = useApp((state) => state.adapters);
  const report = useApp((state) => state.reportAdapterError);
  const [progress, setProgress] = useState<Pick<ExportPart, 'doneBytes' | 'totalBytes'> | null>(null);
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => stop.current?.abort(), []);

  async function download(): Promise<void> {
    const controller = new AbortController();
    stop.current = controller;
    setProgress({ doneBytes: 0, totalBytes: 0 });
    const files: { path: string; bytes: Blob }[] = [];
    let parts: Blob[] = [];
    try {
      await engine.exportMerged(activeAdapters({ adapters, chosenAdapters: chosen }), {
        signal: controller.signal,
        onPart: ({ path, part, last, doneBytes, totalBytes }) => {
          parts.push(new Blob([part as Uint8Array<ArrayBuffer>]));
          if (last) files.push({ path, bytes: new Blob(parts) });
          if (last) parts = [];
          setProgress({ doneBytes, totalBytes });
        },
      });
      saveBlob(await zipped(files, controller.signal), `${exportName(loaded!.entry.title, 'merged')}.zip`);
    } catch (error) {
      if (!controller.signal.aborted) report(error);
    } finally {
      setProgress(null);
    }
  }

  if (progress) {
    return (
      <span className={styles.merging}>
        <progress
          aria-label="Writing the merged model"
          max={progress.totalBytes || undefined}
          value={progress.totalBytes ? progress.doneBytes : undefined}
        />
        {formatBytes(progress.doneBytes)} of {formatBytes(progress.totalBytes)}
        <Button size="small" icon="stop" onClick={() => stop.current?.abort()}>
          Stop
        </Button>
      </span>
    );
  }
  return (
    <Button size="small" icon="download" disabled={!loaded || count === 0} onClick={() => void download()}>
      Download merged model{count > 0 ? ` (${plural(count, 'adapter')})` : ''}
    </Button>
  );
}
