import { useState } from 'react';
import { Button } from '../../components/Button.tsx';
import { Dialog } from '../../components/Dialog.tsx';
import styles from './dialogs.module.css';

export function WebDialog({ onClose, onAddress }: { onClose(): void; onAddress(address: string): void }) {
  const [address, setAddress] = useState('');
  return (
    <Dialog title="Data from the web" onClose={onClose}>
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault();
          onAddress(address.trim());
        }}
      >
        <label className={styles.field}>
          <span>Address of a parquet, JSON, JSONL, CSV or zip file</span>
          <input
            type="url"
            required
            autoFocus
            placeholder="https://huggingface.co/datasets/…/resolve/main/data/train.parquet"
            value={address}
            onChange={(event) => setAddress(event.target.value)}
          />
        </label>
        <p className={styles.hint}>
          Your browser asks that server for the file, and for nothing else; it must be open to everybody. Pictures must stand in the file
          itself, as they do in the hub’s parquet files and in zips.
        </p>
        <Button type="submit" variant="primary" icon="download">
          Read it
        </Button>
      </form>
    </Dialog>
  );
}
