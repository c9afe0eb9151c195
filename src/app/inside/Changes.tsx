import { useEffect, useState } from 'react';
import type { ChangedAnswer, InsideChanges, InsideTrace } from '../../engine/inside/inside-api.ts';
import { toPlainError, type PlainError } from '../../errors.ts';
import { TAG_FORMATS, TAG_FORMAT_NAMES, type TagFormat } from '../../tiling/tags.ts';
import { Button } from '../components/Button.tsx';
import { Meter } from '../components/Meter.tsx';
import { Problem } from '../components/Notice.tsx';
import { Segmented } from '../components/Segmented.tsx';
import { useEngine } from '../state/hooks.ts';
import { tileName } from '../tiles/tile-names.ts';
import styles from './Changes.module.css';
import { settled } from './settled.ts';
import { isChanged } from './settings.ts';
import { nats, percent, tokenWords } from './token-words.ts';
import { MOST_NEW_TOKENS } from './use-trace.ts';

interface Props {
  about: InsideTrace;
  /** Of the answer that is looked at: what is chosen here stands on top of them. */
  changes: InsideChanges;
  /** Makes the changed answer the one that is looked at. */
  onLookInside: (changes: InsideChanges) => void;
}

const TAGS: { value: TagFormat | 'own'; label: string }[] = [
  { value: 'own', label: 'as trained' },
  ...TAG_FORMAT_NAMES.map((value) => ({ value, label: TAG_FORMATS[value].label })),
];

type GateChoice = 'learnt' | 'closed' | 'open';

/** The same question with a gate closed, a tile hidden, the tiles shuffled or named otherwise: a new answer beside the first. */
export function Changes({ about, changes: base, onLookInside }: Props) {
  const engine = useEngine();
  const [changes, setChanges] = useState<InsideChanges>(base);
  const [state, setState] = useState<{ answer: ChangedAnswer | null; running: boolean; error: PlainError | null }>({
    answer: null,
    running: false,
    error: null,
  });
  const key = JSON.stringify(changes);
  const differs = key !== JSON.stringify(base);
  useEffect(() => {
    if (!differs) {
      setState({ answer: null, running: false, error: null });
      return;
    }
    const { signal, end } = settled();
    setState((now) => ({ ...now, running: true, error: null }));
    engine
      .insideAgain(about.trace, changes, Math.max(MOST_NEW_TOKENS, about.answer.length), { signal })
      .then((answer) => !signal.aborted && setState({ answer, running: false, error: null }))
      .catch((error: unknown) => !signal.aborted && setState({ answer: null, running: false, error: toPlainError(error) }));
    return end;
  }, [engine, about, key, differs]);

  const patch = (some: Partial<InsideChanges>) =>
    setChanges(
      (now) => Object.fromEntries(Object.entries({ ...now, ...some }).filter(([, value]) => value !== undefined)) as InsideChanges,
    );
  const tiles = about.layout?.tiles ?? [];
  // Numbered among themselves, wherever the thumbnail stands.
  const regular = [...tiles.filter(({ thumbnail }) => !thumbnail).keys()];
  return (
    <div className={styles.changes}>
      {about.gates.length > 0 && <Gates about={about} changes={changes} onGates={(gates) => patch({ gates })} />}
      {tiles.length > 0 && (
        <fieldset className={styles.row}>
          <legend>Hide a tile (painted in the mean colour)</legend>
          {tiles.map(({ index }) => {
            const hidden = changes.hide?.includes(index) ?? false;
            return (
              <button
                key={index}
                type="button"
                className={styles.toggle}
                aria-pressed={hidden}
                onClick={() => {
                  const rest = (changes.hide ?? []).filter((one) => one !== index);
                  const next = hidden ? rest : [...rest, index].sort((a, b) => a - b);
                  patch({ hide: next.length > 0 ? next : undefined });
                }}
              >
                {tileName(tiles, index)}
              </button>
            );
          })}
        </fieldset>
      )}
      {regular.length > 1 && (
        <div className={styles.row}>
          <Button size="small" icon="retry" onClick={() => patch({ order: shuffled(regular, changes.order) })}>
            Shuffle the tiles
          </Button>
          {changes.order && (
            <>
              <span className={styles.note}>in their places now: {changes.order.map((tile) => tile + 1).join(', ')}</span>
              <Button size="small" variant="quiet" onClick={() => patch({ order: undefined })}>
                As they were
              </Button>
            </>
          )}
        </div>
      )}
      {tiles.length > 0 && (
        <div>
          <h3 className={styles.heading}>Tags, the names of the tiles</h3>
          <Segmented
            legend="Names of the tiles"
            value={changes.tagFormat ?? 'own'}
            options={TAGS}
            onChange={(format) => patch({ tagFormat: format === 'own' ? undefined : format })}
          />
        </div>
      )}
      {state.error && <Problem error={state.error} />}
      <div aria-live="polite">
        {state.running && <p className={styles.note}>Answering again…</p>}
        {differs && state.answer && !state.running && <Beside about={about} changed={state.answer} onLook={() => onLookInside(changes)} />}
      </div>
      {isChanged(changes) && (
        <Button size="small" variant="quiet" onClick={() => (isChanged(base) ? onLookInside({}) : setChanges({}))}>
          Undo all changes
        </Button>
      )}
    </div>
  );
}

/** tanh(g) of every cross-attention layer: 0 adds nothing of the picture, 1 all of it. */
function Gates({
  about,
  changes,
  onGates,
}: {
  about: InsideTrace;
  changes: InsideChanges;
  onGates: (gates: InsideChanges['gates']) => void;
}) {
  const gates = changes.gates ?? {};
  const set = (layer: number, choice: GateChoice) => {
    const { [layer]: _, ...rest } = gates;
    const next = choice === 'learnt' ? rest : { ...rest, [layer]: choice === 'closed' ? 0 : 1 };
    onGates(Object.keys(next).length > 0 ? next : undefined);
  };
  return (
    <section aria-label="Gates">
      <h3 className={styles.heading}>Gates of cross-attention</h3>
      <ul className={styles.gates}>
        {about.gates.map(({ layer, learnt }) => {
          const now = gates[layer] ?? learnt;
          const choice: GateChoice = gates[layer] === undefined ? 'learnt' : now === 0 ? 'closed' : 'open';
          return (
            <li key={layer} data-negative={now < 0 || undefined}>
              <span>layer {layer + 1}</span>
              <Meter share={Math.abs(now)} label={`Gate of layer ${layer + 1}: ${now.toFixed(3)}`} />
              <span className={styles.number}>{now.toFixed(3)}</span>
              <Segmented<GateChoice>
                legend={`Gate of layer ${layer + 1}`}
                value={choice}
                options={[
                  { value: 'learnt', label: 'learnt' },
                  { value: 'closed', label: 'close' },
                  { value: 'open', label: 'open' },
                ]}
                onChange={(next) => set(layer, next)}
              />
            </li>
          );
        })}
      </ul>
    </section>
  );
}

/** First and changed answer, token beside token; where they part is marked. */
function Beside({ about, changed, onLook }: { about: InsideTrace; changed: ChangedAnswer; onLook: () => void }) {
  const same = about.answer.length === changed.answer.length && about.answer.every(({ id }, at) => id === changed.answer[at]!.id);
  const before = about.answer.reduce((sum, { logp }) => sum + logp, 0);
  const after = changed.firstLogp.reduce((sum, logp) => sum + logp, 0);
  const said = (tokens: typeof changed.answer, other: typeof changed.answer) =>
    tokens.map(({ id, text, logp }, at) => (
      <span key={at} className={styles.said} data-differs={id !== other[at]?.id || undefined} title={percent(Math.exp(logp))}>
        {tokenWords(text)}
      </span>
    ));
  return (
    <div className={styles.beside}>
      <div className={styles.pair}>
        <p>
          <small>First</small>
          {said(about.answer, changed.answer)}
        </p>
        <p>
          <small>Changed {same && '(the same)'}</small>
          {changed.answer.length > 0 ? said(changed.answer, about.answer) : <em>ends at once</em>}
        </p>
      </div>
      <p className={styles.note}>
        log p of the first answer: {nats(before)} → {nats(after)} ({after <= before ? '−' : '+'}
        {nats(Math.abs(after - before))})
      </p>
      <Button size="small" icon="inside" onClick={onLook} disabled={changed.answer.length === 0}>
        Look inside the changed answer
      </Button>
    </div>
  );
}

/** Another order than the one before, and than their own. */
function shuffled(regular: readonly number[], before: readonly number[] | undefined): number[] {
  const known = new Set([regular.join(), before?.join()]);
  for (let attempt = 0; attempt < 20; attempt++) {
    const order = [...regular];
    for (let at = order.length - 1; at > 0; at--) {
      const other = Math.floor(Math.random() * (at + 1));
      [order[at], order[other]] = [order[other]!, order[at]!];
    }
    if (!known.has(order.join())) return order;
  }
  return [...regular].reverse();
}
