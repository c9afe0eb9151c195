import { useEffect } from 'react';
import { useApp } from '../state/hooks.ts';
import { Button, IconButton } from './Button.tsx';
import styles from './ToastView.module.css';

const SHOWN_FOR_MS = 10_000;

/** What just happened, with its undo. One at a time; the latest wins. */
export function ToastView() {
  const toast = useApp((state) => state.toast);
  const dismiss = useApp((state) => state.dismissToast);
  useEffect(() => {
    if (!toast) return;
    const timer = setTimeout(dismiss, SHOWN_FOR_MS);
    return () => clearTimeout(timer);
  }, [toast, dismiss]);
  return (
    <div role="status" className={styles.place}>
      {toast && (
        <div className={styles.toast} key={toast.id}>
          <span>{toast.text}</span>
          {toast.action && (
            <Button
              size="small"
              onClick={() => {
                toast.action?.run();
                dismiss();
              }}
            >
              {toast.action.label}
            </Button>
          )}
          <IconButton icon="close" label="Dismiss" onClick={dismiss} />
        </div>
      )}
    </div>
  );
}
