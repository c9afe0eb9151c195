import { Button } from '../components/Button.tsx';
import { Notice } from '../components/Notice.tsx';
import { useApp } from '../state/hooks.ts';
import styles from './LossBanner.module.css';

/** The device or the engine is gone. The conversation is not: one button brings the rest back. */
export function LossBanner() {
  const loss = useApp((state) => state.loss);
  const recovering = useApp((state) => state.recovering);
  const recover = useApp((state) => state.recover);
  if (!loss) return null;
  return (
    <div className={styles.banner}>
      <Notice
        tone="danger"
        role="alert"
        actions={
          <Button icon="retry" size="small" disabled={recovering} onClick={() => void recover()}>
            {recovering ? 'Restarting…' : 'Restart and reload the model'}
          </Button>
        }
      >
        <p>
          <strong>{loss.message}</strong>
        </p>
        <p>Your picture and your conversation are still here.</p>
      </Notice>
    </div>
  );
}
