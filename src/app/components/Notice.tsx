import type { ReactNode } from 'react';
import type { PlainError } from '../../errors.ts';
import { IconButton } from './Button.tsx';
import { Icon } from './Icon.tsx';
import styles from './Notice.module.css';

interface NoticeProps {
  tone: 'danger' | 'warn' | 'info';
  children: ReactNode;
  /** Buttons that put it right. */
  actions?: ReactNode;
  onDismiss?: () => void;
  /** Errors are read out at once. */
  role?: 'alert' | 'status';
}

export function Notice({ tone, children, actions, onDismiss, role }: NoticeProps) {
  return (
    <div className={`${styles.notice} ${styles[tone]}`} role={role}>
      <span className={styles.icon}>
        <Icon name={tone === 'info' ? 'help' : 'warning'} />
      </span>
      <div className={styles.body}>
        {children}
        {actions && <div className={styles.actions}>{actions}</div>}
      </div>
      {onDismiss && <IconButton icon="close" label="Dismiss" onClick={onDismiss} />}
    </div>
  );
}

/** A failure beside the control that caused it: what happened, and what to do next. */
export function Problem({ error, actions, onDismiss }: { error: PlainError; actions?: ReactNode; onDismiss?: () => void }) {
  return (
    <Notice tone="danger" role="alert" actions={actions} onDismiss={onDismiss}>
      <p className={styles.message}>{error.message}</p>
      <p>{error.fix}</p>
    </Notice>
  );
}
