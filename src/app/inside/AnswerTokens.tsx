import { useEffect, useRef, useState, type KeyboardEvent } from 'react';
import type { AnswerToken } from '../../engine/inside/inside-api.ts';
import { Button } from '../components/Button.tsx';
import { Meter } from '../components/Meter.tsx';
import styles from './AnswerTokens.module.css';
import { percent, tokenWords } from './token-words.ts';

interface Props {
  answer: readonly AnswerToken[];
  /** null: the whole answer. */
  token: number | null;
  onToken: (token: number | null) => void;
}

/** How long a token stands while the answer is played. */
const PLAY_MS = 800;
/** As many as alternatives of one token. */
const OTHERS = 5;

/** The answer token by token: how likely each was, and what might have stood in its place. */
export function AnswerTokens({ answer, token, onToken }: Props) {
  const [playing, setPlaying] = useState(false);
  const last = answer.length - 1;
  useEffect(() => {
    if (!playing) return;
    const timer = setTimeout(() => {
      if (token !== null && token >= last) setPlaying(false);
      else onToken((token ?? -1) + 1);
    }, PLAY_MS);
    return () => clearTimeout(timer);
  }, [playing, token, last]);
  const play = () => {
    if (!playing) onToken(token === null || token >= last ? 0 : token);
    setPlaying(!playing);
  };
  /** Space plays, arrows step; whether the key meant that. @returns the token that was stepped to */
  const act = (event: Pick<globalThis.KeyboardEvent, 'key' | 'preventDefault'>): number | null => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key !== ' ' && step === undefined) return null;
    event.preventDefault();
    if (step === undefined) {
      play();
      return null;
    }
    const next = Math.min(last, Math.max(0, (token ?? (step > 0 ? -1 : last + 1)) + step));
    choose(next);
    return next;
  };
  const keys = (event: KeyboardEvent) => {
    // A slider has arrow keys of its own.
    if (event.target instanceof HTMLInputElement && event.key !== ' ') return;
    const next = act(event);
    // The focus goes along.
    if (next !== null) event.currentTarget.querySelectorAll<HTMLElement>('[data-token]')[next]?.focus();
  };
  useKeysElsewhere(act);
  const choose = (next: number | null) => {
    setPlaying(false);
    onToken(next);
  };
  const likely = answer.reduce((sum, { logp }) => sum + logp, 0);
  return (
    <div className={styles.tokens}>
      <div className={styles.chips} role="group" aria-label="Tokens of the answer" onKeyDown={keys}>
        <button
          type="button"
          className={styles.chip}
          aria-pressed={token === null}
          onClick={() => choose(null)}
          title="Probability of the whole answer"
        >
          <span className={styles.whole}>whole answer</span>
          <small>{percent(Math.exp(likely))}</small>
        </button>
        {answer.map((one, at) => (
          <button
            key={at}
            type="button"
            data-token={at}
            className={styles.chip}
            aria-pressed={token === at}
            aria-label={`Token ${at + 1}, ${JSON.stringify(one.text)}, ${percent(Math.exp(one.logp))}`}
            onClick={() => choose(at)}
            onPointerEnter={(event) => event.pointerType === 'mouse' && !playing && event.buttons === 0 && onToken(at)}
          >
            <span className={styles.word}>{tokenWords(one.text)}</span>
            <small>{percent(Math.exp(one.logp))}</small>
            <span className={styles.bar} style={{ width: `${100 * Math.exp(one.logp)}%` }} aria-hidden="true" />
          </button>
        ))}
      </div>
      <div className={styles.walk}>
        <Button
          size="small"
          icon={playing ? 'pause' : 'play'}
          onClick={play}
          aria-label={playing ? 'Pause' : 'Play the answer token by token'}
        >
          {playing ? 'Pause' : 'Play'}
        </Button>
        <input
          type="range"
          aria-label="Token of the answer"
          aria-valuetext={token === null ? 'the whole answer' : `${token + 1} of ${answer.length}: ${answer[token]?.text ?? ''}`}
          min={-1}
          max={last}
          value={token ?? -1}
          onKeyDown={keys}
          onChange={(event) => choose(event.target.valueAsNumber < 0 ? null : event.target.valueAsNumber)}
        />
      </div>
      {token !== null && answer[token] ? <Alternatives token={answer[token]} /> : <LikeliestOthers answer={answer} />}
    </div>
  );
}

/** Keys that nothing else on the page wants: no control has the focus, no dialog is open. */
function useKeysElsewhere(act: (event: globalThis.KeyboardEvent) => void): void {
  const latest = useRef(act);
  useEffect(() => {
    latest.current = act;
  });
  useEffect(() => {
    const onKey = (event: globalThis.KeyboardEvent) => {
      const target = event.target as HTMLElement;
      const hasKeys = target.closest('a, button, input, select, textarea, summary, [contenteditable], dialog, [role="slider"]');
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || hasKeys || document.querySelector('dialog[open]'))
        return;
      latest.current(event);
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);
}

/** Of the whole answer: where the model was closest to saying another token, and which. */
function LikeliestOthers({ answer }: { answer: readonly AnswerToken[] }) {
  const others = answer
    .flatMap(({ id, top }, at) => top.filter((one) => one.id !== id).map((other) => ({ at, other })))
    .sort((a, b) => b.other.logp - a.other.logp)
    .slice(0, OTHERS);
  return (
    <div>
      <h3 className={styles.heading}>Where another token was likeliest</h3>
      <ol className={styles.alternatives}>
        {others.map(({ at, other: { id, text, logp } }) => (
          <li key={`${at} ${id}`}>
            <span className={styles.word}>
              <small>{at + 1}.</small> {tokenWords(answer[at]!.text)} → {tokenWords(text)}
            </span>
            <Meter share={Math.exp(logp)} />
            <span className={styles.number}>{percent(Math.exp(logp))}</span>
          </li>
        ))}
      </ol>
      <p className={styles.note}>
        Of the whole answer, attention is the mean over its {answer.length === 1 ? 'one token' : `${answer.length} tokens`}, worth the sum;
        its probability is the product of theirs.
      </p>
    </div>
  );
}

function Alternatives({ token }: { token: AnswerToken }) {
  return (
    <div>
      <h3 className={styles.heading}>What might have stood here</h3>
      <ol className={styles.alternatives}>
        {token.top.map(({ id, text, logp }) => (
          <li key={id} data-said={id === token.id || undefined}>
            <span className={styles.word}>{tokenWords(text)}</span>
            <Meter share={Math.exp(logp)} />
            <span className={styles.number}>{percent(Math.exp(logp))}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}
