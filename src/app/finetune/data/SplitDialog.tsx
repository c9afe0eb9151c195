import { useState } from 'react';
import { Button } from '../../components/Button.tsx';
import { Dialog } from '../../components/Dialog.tsx';
import { NumberField } from '../setup/fields.tsx';
import styles from './dialogs.module.css';

export function SplitDialog({ onClose, onSplit }: { onClose(): void; onSplit(ratio: number, seed: number): void }) {
  const [percent, setPercent] = useState(20);
  const [seed, setSeed] = useState(1);
  return (
    <Dialog title="Hold records out of training" onClose={onClose}>
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault();
          onSplit(percent / 100, seed);
        }}
      >
        <p className={styles.hint}>
          Held-out records are never learnt: loss and answers on them show whether the model understood or only remembers. Every task and
          label gives its share; all records of a picture stay together. This replaces what was held out by hand.
        </p>
        <div className={styles.pair}>
          <NumberField label="Held out, percent" min={0} max={90} step={1} required value={percent} onChange={setPercent} />
          <NumberField label="Seed" min={0} step={1} required value={seed} onChange={setSeed} />
        </div>
        <Button type="submit" variant="primary" icon="check">
          Split
        </Button>
      </form>
    </Dialog>
  );
}
