import { useEffect, useState } from 'react';
import { Button } from '../components/Button.tsx';
import { formatBytes } from '../format.ts';
import { useApp } from '../state/hooks.ts';
import styles from './StorageView.module.css';

interface Quota {
  used: number;
  allowed: number;
  /** null where the browser cannot be asked. */
  persisted: boolean | null;
}

/** How much room the browser gives this page, and whether it may throw the models away when the disk runs low. */
export function StorageView() {
  const models = useApp((state) => state.models);
  const showToast = useApp((state) => state.showToast);
  const [quota, setQuota] = useState<Quota | null>(null);
  const stored = models?.reduce((sum, { storedBytes }) => sum + storedBytes, 0) ?? 0;
  const inMemory = models?.some(({ storage }) => storage === 'memory') ?? false;
  useEffect(() => {
    let current = true;
    void readQuota().then((read) => current && setQuota(read));
    return () => {
      current = false;
    };
  }, [stored]);

  async function keep(): Promise<void> {
    const granted = await navigator.storage.persist().catch(() => false);
    setQuota(await readQuota());
    showToast(granted ? 'The browser keeps the stored models.' : 'The browser did not agree; it may do so later.');
  }

  return (
    <section className={styles.storage} aria-labelledby="storage">
      <h2 id="storage">Storage</h2>
      {quota ? (
        <>
          <meter aria-label="Storage in use" min={0} max={quota.allowed} value={quota.used} />
          <p>
            {formatBytes(stored)} of models; this page uses {formatBytes(quota.used)} and may use{' '}
            {formatBytes(Math.max(0, quota.allowed - quota.used))} more.
          </p>
        </>
      ) : (
        <p>{formatBytes(stored)} of models. This browser does not say how much may be stored.</p>
      )}
      {inMemory && <p>This browser gives the page no files: models last until the tab is closed.</p>}
      {quota?.persisted === false && (
        <div className={styles.row}>
          <p>The browser may delete them when the disk runs low.</p>
          <Button size="small" onClick={() => void keep()}>
            Keep stored models
          </Button>
        </div>
      )}
      {quota?.persisted && <p>The browser keeps them until you delete them.</p>}
    </section>
  );
}

/** null where the browser says nothing: pages that did not come over HTTPS, old browsers. */
async function readQuota(): Promise<Quota | null> {
  // Missing outside secure contexts, whatever the types say.
  const storage = navigator.storage as StorageManager | undefined;
  const { usage, quota } = (await storage?.estimate?.().catch(() => null)) ?? {};
  if (usage === undefined || quota === undefined) return null;
  return { used: usage, allowed: quota, persisted: (await storage?.persisted?.().catch(() => null)) ?? null };
}
