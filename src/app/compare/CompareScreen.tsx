import { useEffect, useState } from 'react';
import { ExampleGallery } from '../chat/ExampleGallery.tsx';
import { PictureSources } from '../chat/PictureSources.tsx';
import { suggestionsFor } from '../chat/suggestions.ts';
import { Button } from '../components/Button.tsx';
import { Problem } from '../components/Notice.tsx';
import { useApp, usePictures, useSharedImage } from '../state/hooks.ts';
import { titleOf } from '../state/model-slice.ts';
import { useAddressState } from '../use-address-state.ts';
import { Batch } from './Batch.tsx';
import { ColumnView } from './ColumnView.tsx';
import styles from './CompareScreen.module.css';
import { keyOf, paramsFromSettings, settingsFromParams, type Contender } from './contenders.ts';
import { useCompare } from './use-compare.ts';
import { useLoadPlan } from './use-load-plan.ts';

const MOST_SIDE = 1600;

/** One picture and one question through two or three models, beside each other. */
export default function CompareScreen() {
  const [settings, change] = useAddressState(settingsFromParams, paramsFromSettings);
  const image = useSharedImage();
  const original = useOriginal();
  const imageError = useApp((state) => state.imageError);
  const models = useApp((state) => state.models);
  const adapters = useApp((state) => state.adapters);
  const refresh = useApp((state) => state.refreshAdapters);
  const [pictures, setPictures] = useState(false);
  useEffect(() => void refresh(), [refresh]);
  const { contenders } = settings;
  const question = settings.question || suggestionsFor(image)[0] || '';
  const [draft, setDraft] = useState(question);
  useEffect(() => setDraft(question), [question]);
  const { columns, running, start, stop } = useCompare(contenders);
  const [asked, setAsked] = useState<{ question: string; expected: string | null } | null>(null);
  const { plan, known } = useLoadPlan(contenders);
  const titleFor = ({ model, adapters: uses }: Contender) =>
    [
      models?.find(({ id }) => id === model)?.title ?? titleOf(model),
      ...uses.map(({ id, strength }) => `${adapters?.find((one) => one.id === id)?.title ?? id}${strength === 1 ? '' : ` × ${strength}`}`),
    ].join(' + ');
  const titles = contenders.map(titleFor);
  const ask = () => {
    const text = draft.trim();
    if (text === '') return;
    change({ question: text });
    setAsked({
      question: text,
      expected: image?.knownAnswers && Object.hasOwn(image.knownAnswers, text) ? image.knownAnswers[text]! : null,
    });
    start({ question: text, image: image?.bytes ?? null }, known);
  };

  return (
    <div className={styles.screen}>
      <h1 className="unseen">Compare</h1>
      <form
        className={styles.row}
        onSubmit={(event) => {
          event.preventDefault();
          ask();
        }}
      >
        <Button size="small" icon="image" aria-expanded={pictures} onClick={() => setPictures(!pictures)}>
          {image?.name ?? 'Picture'}
        </Button>
        <label className="unseen" htmlFor="compare-question">
          Question
        </label>
        <input
          id="compare-question"
          className={styles.question}
          type="text"
          maxLength={2000}
          value={draft}
          onChange={(event) => setDraft(event.target.value)}
        />
        {running ? (
          <Button icon="stop" onClick={stop}>
            Stop
          </Button>
        ) : (
          <Button variant="primary" type="submit" disabled={draft.trim() === '' || contenders.length === 0}>
            Ask {contenders.length === 1 ? 'it' : `all ${contenders.length}`}
          </Button>
        )}
      </form>
      {pictures && (
        <div className={styles.sources}>
          <PictureSources />
          <ExampleGallery />
        </div>
      )}
      {imageError && <Problem error={imageError} />}
      <Contenders contenders={contenders} titleFor={titleFor} disabled={running} onChange={(next) => change({ contenders: next })} />
      {plan && <p className={styles.note}>{plan.words}</p>}
      {columns.length > 0 && (
        <div className={styles.columns} style={{ gridTemplateColumns: `repeat(auto-fit, minmax(min(100%, 17rem), 1fr))` }}>
          {columns.map((column, at) => (
            <ColumnView
              key={keyOf(contenders[at]!)}
              contender={contenders[at]!}
              title={titles[at]!}
              column={column}
              question={asked?.question ?? question}
              expected={asked?.expected ?? null}
              original={original}
            />
          ))}
        </div>
      )}
      <Batch contenders={contenders} titles={titles} question={draft} together={known} />
    </div>
  );
}

/** Who takes part: models that are here, each as it is or with adapters of this browser. */
function Contenders({
  contenders,
  titleFor,
  disabled,
  onChange,
}: {
  contenders: Contender[];
  titleFor: (contender: Contender) => string;
  disabled: boolean;
  onChange: (contenders: Contender[]) => void;
}) {
  const models = useApp((state) => state.models) ?? [];
  const adapters = useApp((state) => state.adapters) ?? [];
  const here = models.filter(
    ({ source, storedBytes, bytes, loaded }) => (source.kind !== 'hub' && source.kind !== 'url') || loaded || storedBytes >= bytes,
  );
  const offers = here.flatMap(({ id }): Contender[] => [
    { model: id, adapters: [] },
    ...adapters
      .filter(({ base }) => base === null || base === id)
      .map((adapter) => ({ model: id, adapters: [{ id: adapter.id, strength: 1 }] })),
  ]);
  const all = [...new Map([...contenders, ...offers].map((one) => [keyOf(one), one])).values()].sort(
    (a, b) => order(a, offers) - order(b, offers),
  );
  const chosen = new Set(contenders.map(keyOf));
  return (
    <fieldset className={styles.row} disabled={disabled}>
      <legend className="unseen">Models to compare</legend>
      {all.map((one) => {
        const on = chosen.has(keyOf(one));
        return (
          <label key={keyOf(one)} className={styles.contender} data-on={on || undefined}>
            <input
              type="checkbox"
              checked={on}
              disabled={on && contenders.length === 1}
              onChange={() => onChange(all.filter((other) => (keyOf(other) === keyOf(one) ? !on : chosen.has(keyOf(other)))))}
            />
            {titleFor(one)}
          </label>
        );
      })}
    </fieldset>
  );
}

function order(one: Contender, offers: readonly Contender[]): number {
  const at = offers.findIndex((offer) => keyOf(offer) === keyOf(one));
  return at < 0 ? offers.length : at;
}

/** The shared picture as the browser shows it; null while it is on the way, or when the browser cannot. */
function useOriginal(): ImageBitmap | null {
  const pictures = usePictures();
  const image = useSharedImage();
  const [bitmap, setBitmap] = useState<ImageBitmap | null>(null);
  useEffect(() => {
    setBitmap(null);
    if (!image) return;
    let gone = false;
    const file = new Blob([image.bytes as Uint8Array<ArrayBuffer>], { type: image.type });
    pictures.display(file, MOST_SIDE).then(
      (drawn) => gone || setBitmap(drawn),
      () => undefined, // The tiles are drawn in its place.
    );
    return () => {
      gone = true;
    };
  }, [pictures, image]);
  return bitmap;
}
