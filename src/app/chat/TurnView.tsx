import { memo, useEffect, useState } from 'react';
import { backendName } from '../gpu-adapter-name.ts';
import { Button } from '../components/Button.tsx';
import { Icon } from '../components/Icon.tsx';
import { Problem } from '../components/Notice.tsx';
import { hrefWith, useRoute } from '../router.ts';
import { formatAdapters } from '../state/adapter-slice.ts';
import { isOpen, type BaseAnswer, type Turn } from '../state/chat-slice.ts';
import { useApp } from '../state/hooks.ts';
import { sendsEarlierTurns } from '../state/settings-slice.ts';
import { stageText } from './stage-text.ts';
import { turnStats } from './turn-stats.ts';
import styles from './TurnView.module.css';

interface Props {
  turn: Turn;
  last: boolean;
}

/**
 * A question and its answer. What the model writes is drawn as text and nothing else. A token redraws its own turn
 * alone, however long the conversation is.
 */
export const TurnView = memo(function TurnView({ turn, last }: Props) {
  const selected = useApp((state) => state.selectedModel);
  const retry = useApp((state) => state.retry);
  const editTurn = useApp((state) => state.editTurn);
  const busy = useApp((state) => isOpen(state.turns.at(-1)));
  const open = isOpen(turn);
  return (
    <article className={styles.turn} aria-label={`Question: ${turn.question}`}>
      <div className={styles.question}>
        <p>{turn.question}</p>
        <Button
          variant="quiet"
          size="small"
          icon="pencil"
          disabled={busy}
          onClick={() => editTurn(turn.id)}
          aria-label="Edit this question"
        >
          Edit
        </Button>
      </div>
      <div className={styles.answer} aria-busy={open}>
        {turn.base && turn.model ? (
          <Compared turn={turn} base={turn.base} open={open} />
        ) : (
          turn.answer !== '' && <AnswerText text={turn.answer} open={open} />
        )}
        {turn.answer === '' && turn.status === 'done' && <p className={styles.aside}>The model ended without a word.</p>}
        {open && (
          <p className={styles.stage}>
            {turn.status === 'stopping' ? 'Stopping' : stageText(turn.stage, turn.model?.id ?? selected)}
            {turn.answer === '' && <span className={styles.dots} aria-hidden="true" />}
          </p>
        )}
        {turn.error && <Problem error={turn.error} />}
        <footer className={styles.footer}>
          <TurnFacts turn={turn} />
          {!open && (
            <div className={styles.actions}>
              {turn.pictures < 2 && turn.result && turn.result.ids.length > 0 && <WhyLink turn={turn} />}
              {turn.answer !== '' && <CopyButton text={turn.answer} />}
              {last && (
                <Button variant="quiet" size="small" icon="retry" onClick={() => void retry(turn.id)}>
                  Retry{turn.model && turn.model.id !== selected ? ` with ${selected}` : ''}
                </Button>
              )}
            </div>
          )}
        </footer>
      </div>
    </article>
  );
});

function AnswerText({ text, open }: { text: string; open: boolean }) {
  return (
    <p className={styles.text}>
      {text}
      {open && <span className={styles.caret} aria-hidden="true" />}
    </p>
  );
}

/** The same question to the base model and to the one with adapters. */
function Compared({ turn, base, open }: { turn: Turn; base: BaseAnswer; open: boolean }) {
  const atBase = base.result === null;
  const same = turn.result !== null && base.answer === turn.answer;
  return (
    <div className={styles.sides}>
      <section aria-label="Answer of the base model">
        <p className={styles.side}>Base</p>
        {base.answer !== '' && <AnswerText text={base.answer} open={open && atBase} />}
        <ul className={styles.facts}>
          {base.result && turn.expected !== null && <Verdict right={base.answer.trim() === turn.expected} expected={turn.expected} />}
          {turnStats(base).map(({ label, value, hint }) => (
            <li key={label} title={hint}>
              {value}
            </li>
          ))}
        </ul>
      </section>
      <section aria-label="Answer with adapters">
        <p className={styles.side}>
          With {adapterWords(turn)} {same && <span className={styles.aside}>(the same)</span>}
        </p>
        {turn.answer !== '' && <AnswerText text={turn.answer} open={open} />}
      </section>
    </div>
  );
}

function adapterWords({ adapters }: Turn): string {
  return adapters.map(({ title, strength }) => (strength === 1 ? title : `${title} × ${strength}`)).join(', ');
}

function TurnFacts({ turn }: { turn: Turn }) {
  const stats = turnStats(turn);
  const cut = turn.result?.finishReason === 'length';
  return (
    <ul className={styles.facts}>
      {turn.model && (
        <li>
          <span className={styles.model}>{turn.model.id}</span>
          {turn.result && ` on ${backendName(turn.result)}`}
        </li>
      )}
      {turn.adapters.length > 0 && !turn.base && <li title="Adapters that answered">with {adapterWords(turn)}</li>}
      {turn.status === 'done' && turn.expected !== null && (
        <Verdict right={turn.answer.trim() === turn.expected} expected={turn.expected} />
      )}
      {turn.status === 'stopped' && <li>stopped</li>}
      {cut && <li title="Raise it in the settings beside the question">cut at the longest length</li>}
      {stats.map(({ label, value, hint }) => (
        <li key={label} title={hint}>
          {value}
        </li>
      ))}
      {turn.result && turn.seed !== null && <li title="The same seed and settings give the same answer">seed {turn.seed}</li>}
    </ul>
  );
}

/** The page drew the picture, so it knows; nano is often wrong and should not get away with it. */
function Verdict({ right, expected }: { right: boolean; expected: string }) {
  if (right) {
    return (
      <li className={styles.right}>
        <Icon name="check" size={12} /> right
      </li>
    );
  }
  return <li className={styles.wrong}>wrong: it is “{expected.replaceAll('\n', ' / ')}”</li>;
}

/** Opens this very answer, as it was said, on the screen that looks inside, which shows one picture. */
function WhyLink({ turn }: { turn: Turn }) {
  const turns = useApp((state) => state.turns);
  const settings = useApp((state) => state.chatSettings);
  const loaded = useApp((state) => state.loadedModel);
  const route = useRoute();
  // Another model would not say it with these tokens.
  if (!loaded || turn.model?.id !== loaded.entry.id) return null;
  const earlier = sendsEarlierTurns(settings, loaded.entry)
    ? turns.slice(0, turns.indexOf(turn)).filter(({ answer }) => answer !== '')
    : [];
  return (
    <a
      className={styles.why}
      href={hrefWith(
        'inside',
        {
          prompt: turn.question,
          said: turn.result!.ids.join(','),
          system: turn.system || null,
          max: turn.maxTiles === null ? null : String(turn.maxTiles),
          turns: earlier.length > 0 ? JSON.stringify(earlier.map(({ question, answer }) => [question, answer])) : null,
          with: formatAdapters(turn.adapters.map(({ id, strength }) => ({ id, strength, on: true }))) || null,
        },
        route,
      )}
    >
      <Icon name="inside" size={14} /> Why?
    </a>
  );
}

function CopyButton({ text }: { text: string }) {
  const [state, setState] = useState<'idle' | 'copied' | 'failed'>('idle');
  const announce = useApp((app) => app.announce);
  useEffect(() => {
    if (state === 'idle') return;
    const timer = setTimeout(() => setState('idle'), 2000);
    return () => clearTimeout(timer);
  }, [state]);
  const words = { idle: 'Copy', copied: 'Copied', failed: 'Not allowed here' }[state];
  return (
    <Button
      variant="quiet"
      size="small"
      icon={state === 'copied' ? 'check' : 'copy'}
      onClick={async () => {
        try {
          await navigator.clipboard.writeText(text);
          setState('copied');
          announce('Answer copied.');
        } catch {
          setState('failed');
          announce('The browser does not allow copying here.');
        }
      }}
    >
      {words}
    </Button>
  );
}
