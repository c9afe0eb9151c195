import { useEffect, useId, useRef, useState, type KeyboardEvent } from 'react';
import { Button, IconButton } from '../components/Button.tsx';
import { Problem } from '../components/Notice.tsx';
import { useShortcut } from '../shell/ShortcutsDialog.tsx';
import { isOpen } from '../state/chat-slice.ts';
import { useApp, useSharedImage } from '../state/hooks.ts';
import styles from './Composer.module.css';
import { SettingsPanel } from './SettingsPanel.tsx';
import { useModelKind } from './use-model-kind.ts';
import { suggestionsFor } from './suggestions.ts';

export function Composer() {
  const draft = useApp((state) => state.draft);
  const draftError = useApp((state) => state.draftError);
  const turns = useApp((state) => state.turns);
  const lost = useApp((state) => state.loss !== null);
  const setDraft = useApp((state) => state.setDraft);
  const ask = useApp((state) => state.ask);
  const stopAnswer = useApp((state) => state.stopAnswer);
  const image = useSharedImage();
  const kind = useModelKind();
  const [settingsOpen, setSettingsOpen] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  const settingsId = useId();
  const last = turns.at(-1);
  const answering = isOpen(last);
  const suggestions =
    turns.length > 0
      ? suggestionsFor(
          image,
          turns.map((turn) => turn.question),
          kind,
        )
      : [];

  useShortcut('/', () => field.current?.focus());
  useStopKey(answering, stopAnswer);

  function send(): void {
    setSettingsOpen(false);
    void ask(draft);
  }

  function onKeyDown(event: KeyboardEvent<HTMLTextAreaElement>): void {
    // Enter that ends the composition of a character is not meant for the question.
    if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      send();
    } else if (event.key === 'ArrowUp' && draft === '' && last) {
      event.preventDefault();
      setDraft(last.question);
    }
  }

  return (
    <div className={styles.composer}>
      {suggestions.length > 0 && (
        <ul className={styles.suggestions} aria-label="Suggested questions">
          {suggestions.map((question) => (
            <li key={question}>
              <button type="button" disabled={answering || lost} onClick={() => void ask(question)}>
                {question}
              </button>
            </li>
          ))}
        </ul>
      )}
      {draftError && <Problem error={draftError} />}
      {settingsOpen && (
        <div id={settingsId}>
          <SettingsPanel />
        </div>
      )}
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <textarea
          ref={field}
          rows={Math.min(6, draft.split('\n').length)}
          value={draft}
          aria-label="Your question"
          placeholder={image && kind.takesPictures ? 'Ask about the picture' : 'Ask something'}
          enterKeyHint="send"
          onChange={(event) => setDraft(event.target.value)}
          onKeyDown={onKeyDown}
        />
        <IconButton
          icon="sliders"
          label="Settings"
          aria-expanded={settingsOpen}
          aria-controls={settingsOpen ? settingsId : undefined}
          onClick={() => setSettingsOpen(!settingsOpen)}
        />
        {answering ? (
          <Button icon="stop" disabled={last?.status === 'stopping'} onClick={stopAnswer}>
            Stop
          </Button>
        ) : (
          <IconButton icon="send" label="Send" variant="primary" type="submit" disabled={lost} />
        )}
      </form>
    </div>
  );
}

function useStopKey(active: boolean, stop: () => void): void {
  useEffect(() => {
    if (!active) return;
    const onKey = (event: globalThis.KeyboardEvent) => {
      if (event.key === 'Escape' && !document.querySelector('dialog[open]')) stop();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [active, stop]);
}
