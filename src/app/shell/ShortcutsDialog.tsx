import { useEffect, useRef } from 'react';
import { Dialog } from '../components/Dialog.tsx';
import styles from './ShortcutsDialog.module.css';

const SHORTCUTS: [keys: string[], action: string][] = [
  [['Enter'], 'Send the question'],
  [['Shift', 'Enter'], 'New line in the question'],
  [['Esc'], 'Stop the answer; close a dialog'],
  [['↑'], 'In an empty question: bring back the last one'],
  [['/'], 'Go to the question'],
  [['Ctrl or ⌘', 'V'], 'Use the picture on the clipboard'],
  [['Space'], 'On Inside: play the answer token by token, or pause'],
  [['←', '→'], 'On Inside: the token before or behind'],
  [['?'], 'This list'],
];

export function ShortcutsDialog({ onClose }: { onClose(): void }) {
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      <dl className={styles.list}>
        {SHORTCUTS.map(([keys, action]) => (
          <div key={action}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{action}</dd>
          </div>
        ))}
      </dl>
      <p className={styles.note}>
        Everything else is reached with Tab, arrow keys, Space and Enter. A picture file can be dropped anywhere.
      </p>
    </Dialog>
  );
}

/** Calls `run` on a single key, unless somebody is typing, a dialog is open or a modifier is held. */
export function useShortcut(key: string, run: () => void): void {
  const latest = useRef(run);
  useEffect(() => {
    latest.current = run;
  });
  useEffect(() => {
    function onKey(event: KeyboardEvent): void {
      const target = event.target as HTMLElement;
      const typing = target.matches('textarea, select, [contenteditable], input:not([type=radio], [type=checkbox], [type=range])');
      if (event.key !== key || typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
      event.preventDefault();
      latest.current();
    }
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [key]);
}
