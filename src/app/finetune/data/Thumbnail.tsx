import { useEffect, useState } from 'react';
import { dataClient } from './data-client.ts';
import styles from './RecordCard.module.css';

/** A small copy of a dataset's picture; `name` is what a screen reader says. */
export function Thumbnail({ dataset, path }: { dataset: string; path: string }) {
  const [url, setUrl] = useState<string | null>(null);
  const [lost, setLost] = useState(false);
  useEffect(() => {
    let made: string | null = null;
    let gone = false;
    dataClient.thumbnail(dataset, path).then(
      (blob) => {
        if (!gone) setUrl((made = URL.createObjectURL(blob)));
      },
      () => setLost(true),
    );
    return () => {
      gone = true;
      if (made) URL.revokeObjectURL(made);
    };
  }, [dataset, path]);
  if (lost) return <span className={styles.noPicture}>picture lost</span>;
  return url ? <img className={styles.picture} src={url} alt={`Picture ${path.slice(path.lastIndexOf('/') + 1)}`} /> : null;
}
