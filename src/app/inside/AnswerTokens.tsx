import { useEffect, useState, type KeyboardEvent } from 'react';
import type { AnswerToken } from '../../engine/inside/inside-api.ts';
import { Button } from '../components/Button.tsx';
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
  const keys = (event: KeyboardEvent) => {
    if (event.key === ' ') {
      event.preventDefault();
      play();
    }
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined || event.target instanceof HTMLInputElement) return;
    event.preventDefault();
    const next = (token ?? (step > 0 ? -1 : last + 1)) + step;
    choose(Math.min(last, Math.max(0, next)));
    // The focus goes along.
    event.currentTarget.querySelectorAll<HTMLElement>('[data-token]')[Math.min(last, Math.max(0, next))]?.focus();
  };
  const choose = (next: number | null) => {
    setPlaying(false);
    onToken(next);
  };
  const likely = answer.reduce((sum, { logp }) => sum + logp, 0);
  return (
    <div className={styles.tokens}>
      <div className={styles.chips} role="group" aria-label="Tokens of the answer" onKeyDown={keys}>
        <button type="button" className={styles.chip} aria-pressed={token === null} onClick={() => choose(null)} title="Probability of the whole answer">
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
        <Button size="small" icon={playing ? 'pause' : 'play'} onClick={play} aria-label={playing ? 'Pause' : 'Play the answer token by token'}>
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
      {token !== null && answer[token] && <Alternatives token={answer[token]} />}
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
            <span className={styles.track} aria-hidden="true">
              <span style={{ width: `${100 * Math.exp(logp)}%` }} />
            </span>
            <span className={styles.number}>{percent(Math.exp(logp))}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}
