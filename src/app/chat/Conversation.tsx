import { useEffect, useLayoutEffect, useRef } from 'react';
import { useApp, useSharedImage } from '../state/hooks.ts';
import styles from './Conversation.module.css';
import { ModelNote } from './ModelNote.tsx';
import { suggestionsFor } from './suggestions.ts';
import { useModelKind } from './use-model-kind.ts';
import { TurnView } from './TurnView.tsx';

export function Conversation() {
  const turns = useApp((state) => state.turns);
  const ref = useRef<HTMLDivElement>(null);
  const follow = useRef(true);
  const last = turns.at(-1);

  // A new question is always brought into view; a growing answer only for those who have not scrolled away.
  useEffect(() => {
    follow.current = true;
  }, [turns.length]);
  useLayoutEffect(() => {
    const box = ref.current;
    if (!box || !follow.current || !last) return;
    if (box.scrollHeight > box.clientHeight) box.scrollTop = box.scrollHeight;
    else box.querySelector('li:last-child article')?.scrollIntoView({ block: 'nearest' });
  }, [last]);

  return (
    <div
      ref={ref}
      className={styles.conversation}
      tabIndex={-1}
      onScroll={({ currentTarget: box }) => {
        follow.current = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
      }}
    >
      {turns.length === 0 ? (
        <Welcome />
      ) : (
        <ol className={styles.turns}>
          {turns.map((turn) => (
            <li key={turn.id}>
              <TurnView turn={turn} last={turn === last} />
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}

function Welcome() {
  const image = useSharedImage();
  const ask = useApp((state) => state.ask);
  const kind = useModelKind();
  const starting = useApp((state) => state.image === null && state.imageError === null);
  return (
    <div className={styles.welcome}>
      <h2>{!kind.takesPictures ? 'Ask something' : image || starting ? 'Ask about the picture' : 'Ask something, or show a picture'}</h2>
      <p>The model runs in this tab. Nothing is installed, nothing leaves this machine.</p>
      <ul className={styles.cards} aria-label="Suggested questions">
        {(starting ? [] : suggestionsFor(image, [], kind)).map((question) => (
          <li key={question}>
            <button type="button" onClick={() => void ask(question)}>
              {question}
            </button>
          </li>
        ))}
      </ul>
      <ModelNote />
    </div>
  );
}
