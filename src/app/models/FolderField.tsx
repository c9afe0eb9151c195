import { useEffect, useId, useState, type DragEvent } from 'react';
import type { ModelSource } from '../../engine/api.ts';
import { NvlmError, toPlainError, type PlainError } from '../../errors.ts';
import { Button } from '../components/Button.tsx';
import { Icon } from '../components/Icon.tsx';
import { Problem } from '../components/Notice.tsx';
import { useApp } from '../state/hooks.ts';
import styles from './AddModel.module.css';
import { askToRead, canPickFolders, forgetFolder, knownFolders, pickFolder, rememberFolder, type FolderHandle } from './known-folders.ts';
import { fromDrop, fromHandle, fromInput } from './picked-files.ts';

/** A model from the visitor's disk: dropped, chosen, or a folder that was opened here before. */
export function FolderField() {
  const planModel = useApp((state) => state.planModel);
  const [over, setOver] = useState(false);
  const [known, setKnown] = useState<FolderHandle[]>([]);
  const [error, setError] = useState<PlainError | null>(null);
  const refresh = async () => setKnown(await knownFolders());
  useEffect(() => void refresh(), []);

  async function open(find: () => Promise<ModelSource | null>): Promise<void> {
    setError(null);
    try {
      const source = await find();
      if (source) void planModel(source);
    } catch (problem) {
      setError(toPlainError(problem));
    }
    await refresh();
  }

  async function openHandle(handle: FolderHandle): Promise<ModelSource | null> {
    await askToRead(handle);
    try {
      const source = await fromHandle(handle);
      await rememberFolder(handle);
      return source;
    } catch (cause) {
      await forgetFolder(handle.name);
      throw new NvlmError('not-found', `The folder ${handle.name} cannot be read any more.`, 'Choose it again, where it lies now.', {
        cause,
      });
    }
  }

  function onDrop(event: DragEvent): void {
    // The page around takes dropped files for pictures.
    event.preventDefault();
    event.stopPropagation();
    setOver(false);
    const dropped = fromDrop(event.dataTransfer);
    void open(() => dropped);
  }

  return (
    <div
      className={styles.drop}
      data-over={over}
      onDragOver={(event) => {
        event.preventDefault();
        event.stopPropagation();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={onDrop}
    >
      <p>
        <Icon name="download" /> Drop a model folder here: config.json, tokenizer, safetensors. It stays on your disk.
      </p>
      <div className={styles.row}>
        {canPickFolders() ? (
          <Button
            size="small"
            onClick={() =>
              void open(async () => {
                const handle = await pickFolder();
                return handle && openHandle(handle);
              })
            }
          >
            Choose a folder
          </Button>
        ) : (
          <FileInput label="Choose a folder" isFolder onChoose={(files) => void open(async () => fromInput(files))} />
        )}
        <FileInput label="Choose files" onChoose={(files) => void open(async () => fromInput(files))} />
      </div>
      {known.length > 0 && (
        <ul className={styles.known} aria-label="Folders opened before">
          {known.map((handle) => (
            <li key={handle.name} className={styles.row}>
              <Button size="small" onClick={() => void open(() => openHandle(handle))}>
                {handle.name}
              </Button>
              <Button
                size="small"
                variant="quiet"
                aria-label={`Forget the folder ${handle.name}`}
                onClick={() => void forgetFolder(handle.name).then(refresh)}
              >
                Forget
              </Button>
            </li>
          ))}
        </ul>
      )}
      {error && <Problem error={error} onDismiss={() => setError(null)} />}
    </div>
  );
}

interface FileInputProps {
  label: string;
  isFolder?: boolean;
  onChoose(files: File[]): void;
}

function FileInput({ label, isFolder = false, onChoose }: FileInputProps) {
  const id = useId();
  return (
    <label className={styles.choose} htmlFor={id}>
      {label}
      <input
        id={id}
        type="file"
        multiple={!isFolder}
        ref={(input) => void (isFolder && input?.setAttribute('webkitdirectory', ''))}
        onChange={({ target }) => {
          const files = [...(target.files ?? [])];
          // The same ones can be chosen again.
          target.value = '';
          onChoose(files);
        }}
      />
    </label>
  );
}
