import { useRef, useState } from 'react';
import { toPlainError, type PlainError } from '../../../errors.ts';
import { Button } from '../../components/Button.tsx';
import { Problem } from '../../components/Notice.tsx';
import { useApp } from '../../state/hooks.ts';
import { saveBlob } from '../../tiles/export-files.ts';
import { readRunFile } from './read-run-file.ts';
import type { RunForm } from './run-form.ts';
import styles from './SetupStep.module.css';

interface RunFileCardProps {
  form: RunForm;
  /** The run file as it would be written. */
  text: string;
  onForm(form: RunForm): void;
}

/** The settings as the file that `nvlm train` takes. */
export function RunFileCard({ form, text, onForm }: RunFileCardProps) {
  const showToast = useApp((state) => state.showToast);
  const adapters = useApp((state) => state.adapters);
  const input = useRef<HTMLInputElement>(null);
  const [error, setError] = useState<PlainError | null>(null);
  const [notes, setNotes] = useState<string[]>([]);

  async function take(file: File | undefined): Promise<void> {
    if (!file) return;
    try {
      const read = readRunFile(
        file.size > 1_000_000 ? '' : await file.text(),
        form,
        (adapters ?? []).map(({ id }) => id),
      );
      onForm(read.form);
      setNotes(read.notes);
      setError(null);
      showToast(`Settings taken from ${file.name}.`, { label: 'Undo', run: () => onForm(form) });
    } catch (reason) {
      setError(toPlainError(reason));
      setNotes([]);
    }
  }

  async function copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      showToast('Run file copied.');
    } catch {
      showToast('The browser does not allow copying here.');
    }
  }

  return (
    <details className={styles.more}>
      <summary>Run file</summary>
      <p className={styles.hint}>
        The same settings as <code>nvlm train --config run.json</code> takes them; there, “data” is a path.
      </p>
      <pre className={styles.code} tabIndex={0} role="region" aria-label="Run file">
        {text}
      </pre>
      <div className={styles.buttons}>
        <Button size="small" icon="copy" onClick={() => void copy()}>
          Copy
        </Button>
        <Button size="small" icon="download" onClick={() => saveBlob(new Blob([text], { type: 'application/json' }), 'run.json')}>
          Download
        </Button>
        <Button size="small" onClick={() => input.current?.click()}>
          Take settings from a run file…
        </Button>
        <input
          ref={input}
          type="file"
          accept=".json,application/json"
          hidden
          aria-label="Run file to take settings from"
          onChange={({ target }) => {
            void take(target.files?.[0]);
            target.value = '';
          }}
        />
      </div>
      {notes.length > 0 && (
        <ul className={styles.notes} role="status">
          {notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
      {error && <Problem error={error} onDismiss={() => setError(null)} />}
    </details>
  );
}
