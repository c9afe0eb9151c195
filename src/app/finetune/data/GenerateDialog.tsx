import { useState } from 'react';
import type { GenerateRequest } from '../../../datasets/types.ts';
import { Button } from '../../components/Button.tsx';
import { Dialog } from '../../components/Dialog.tsx';
import styles from './dialogs.module.css';

const KINDS = [
  ['note', 'Notes'],
  ['receipt', 'Receipts'],
  ['shapes', 'Shapes'],
  ['chart', 'Bar charts'],
  ['text', 'Text only'],
] as const;

const MOST_PICTURES = 1000;

export function GenerateDialog({
  onClose,
  onGenerate,
}: {
  onClose(): void;
  onGenerate(request: GenerateRequest): void;
}) {
  const [pictures, setPictures] = useState(40);
  const [seed, setSeed] = useState(1);
  const [kinds, setKinds] = useState<string[]>(KINDS.map(([kind]) => kind));
  return (
    <Dialog title="Draw examples" onClose={onClose}>
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault();
          onGenerate({ pictures, seed, kinds: kinds.length === KINDS.length ? [] : kinds });
        }}
      >
        <p className={styles.hint}>
          Pictures of the world that the nano models know, five questions each: to try training, and to blend in with
          your own data so that a model keeps what it can do.
        </p>
        <div className={styles.pair}>
          <label className={styles.field}>
            <span>Pictures to draw from</span>
            <input
              type="number"
              min={1}
              max={MOST_PICTURES}
              required
              value={pictures}
              onChange={(event) => setPictures(event.target.valueAsNumber)}
            />
          </label>
          <label className={styles.field}>
            <span>Seed</span>
            <input
              type="number"
              min={0}
              step={1}
              required
              value={seed}
              onChange={(event) => setSeed(event.target.valueAsNumber)}
            />
          </label>
        </div>
        <fieldset className={styles.checks}>
          <legend>Kinds</legend>
          {KINDS.map(([kind, name]) => (
            <label key={kind}>
              <input
                type="checkbox"
                checked={kinds.includes(kind)}
                onChange={(event) =>
                  setKinds(event.target.checked ? [...kinds, kind] : kinds.filter((one) => one !== kind))
                }
              />
              {name}
            </label>
          ))}
        </fieldset>
        <Button type="submit" variant="primary" icon="pencil" disabled={kinds.length === 0}>
          Draw
        </Button>
      </form>
    </Dialog>
  );
}
