import { useEffect, useState } from 'react';
import { ExampleGallery } from '../chat/ExampleGallery.tsx';
import { PictureSources } from '../chat/PictureSources.tsx';
import { suggestionsFor } from '../chat/suggestions.ts';
import { Button } from '../components/Button.tsx';
import { Problem } from '../components/Notice.tsx';
import { hrefWith, useRoute } from '../router.ts';
import { useApp, useSharedImage } from '../state/hooks.ts';
import { useInspection } from '../tiles/use-inspection.ts';
import { useAddressState } from '../use-address-state.ts';
import { ModelPick } from './ModelPick.tsx';
import { Opened } from './Opened.tsx';
import styles from './InsideScreen.module.css';
import { isChanged, paramsFromSettings, settingsFromParams, type InsideSettings } from './settings.ts';
import { Waiting } from './Waiting.tsx';
import { useStored } from './use-stored.ts';
import { useTrace } from './use-trace.ts';

/** Where an answer came from: each token's odds, where it looked, and what each part of the picture is worth. */
export default function InsideScreen() {
  const [settings, change] = useAddressState(settingsFromParams, paramsFromSettings);
  const image = useSharedImage();
  const question = settings.question || suggestionsFor(image)[0] || '';
  const trace = useTrace(image, { ...settings, question });
  const model = useApp((state) => state.selectedModel);
  const tagFormat = settings.changes.tagFormat ?? null;
  const { shown, error } = useInspection(image, {
    geometry: model,
    maxTiles: settings.maxTiles,
    tileSize: null,
    tagFormat,
    prompt: '',
    view: 'tiles',
  });
  const stored = useStored(
    model,
    image,
    question,
    trace.about === null &&
      settings.turns.length === 0 &&
      settings.system === '' &&
      settings.maxTiles === null &&
      settings.adapters.length === 0 &&
      !isChanged(settings.changes),
  );
  const route = useRoute();
  // Another question or another model gives another answer, to which nothing of the old choice belongs.
  const ask = (patch: Partial<InsideSettings>) =>
    change({ said: null, system: '', turns: [], changes: {}, token: null, layer: null, head: null, lensLayer: null, ...patch });
  return (
    <div className={styles.screen}>
      <h1 className="unseen">Inside</h1>
      <div className={styles.bar}>
        <ModelPick onPick={() => ask({ adapters: [], maxTiles: null })} />
        <Question key={question} question={question} onAsk={(text) => ask({ question: text })} />
        <OtherPicture />
        <a className={styles.link} href={hrefWith('chat', {}, route)}>
          Back to Chat
        </a>
      </div>
      {settings.system !== '' && <p className={styles.note}>After the system turn “{settings.system}”.</p>}
      {settings.turns.length > 0 && (
        <p className={styles.note}>
          Asked after {settings.turns.length === 1 ? 'an earlier turn' : `${settings.turns.length} earlier turns`} of the conversation.
        </p>
      )}
      {(trace.error ?? error) && (
        <Problem
          error={(trace.error ?? error)!}
          actions={
            <Button size="small" icon="retry" onClick={trace.again}>
              Try again
            </Button>
          }
        />
      )}
      {trace.about ? (
        <Opened key={trace.about.trace} about={trace.about} shown={shown} question={question} settings={settings} onChange={change} />
      ) : (
        !trace.error && <Waiting shown={shown} question={question} progress={trace.progress} stored={stored} />
      )}
    </div>
  );
}

function Question({ question, onAsk }: { question: string; onAsk: (question: string) => void }) {
  const [text, setText] = useState(question);
  useEffect(() => setText(question), [question]);
  return (
    <form
      className={styles.question}
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim() !== '') onAsk(text.trim());
      }}
    >
      <label className="unseen" htmlFor="inside-question">
        Question
      </label>
      <input
        id="inside-question"
        className={styles.field}
        type="text"
        maxLength={2000}
        value={text}
        placeholder="A question about the picture"
        onChange={(event) => setText(event.target.value)}
      />
      <Button type="submit" size="small" disabled={text.trim() === ''}>
        Ask
      </Button>
    </form>
  );
}

function OtherPicture() {
  const [open, setOpen] = useState(false);
  const imageError = useApp((state) => state.imageError);
  const dismiss = useApp((state) => state.dismissImageError);
  return (
    <>
      <Button size="small" icon="image" aria-expanded={open} onClick={() => setOpen(!open)}>
        Another picture
      </Button>
      {open && (
        <div className={styles.sources}>
          <PictureSources />
          <ExampleGallery />
        </div>
      )}
      {imageError && <Problem error={imageError} onDismiss={dismiss} />}
    </>
  );
}
