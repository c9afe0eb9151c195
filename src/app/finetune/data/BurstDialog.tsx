import { useEffect, useRef, useState, type KeyboardEvent } from 'react';
import { Button, IconButton } from '../../components/Button.tsx';
import { Dialog } from '../../components/Dialog.tsx';
import { Problem } from '../../components/Notice.tsx';
import { useCamera } from '../../components/use-camera.ts';
import { plural } from '../../format.ts';
import styles from './BurstDialog.module.css';
import { canHoldOut, filesOf, frameCount, MOST_FRAMES, namesProblem, withoutLastBurst, type BurstLabel } from './bursts.ts';
import dialogStyles from './dialogs.module.css';
import { DEFAULT_QUESTION, isComplete, LABEL_PLACE, SentenceFields, type Sentences } from './SentenceFields.tsx';

/** Between two pictures: four a second differ, and more are nearly alike. */
const FRAME_MS = 250;
/** Longer side of a picture, in pixels: more than most models' tiles show. */
const FRAME_PIXELS = 640;
const MOST_LABELS = 24;
/** Of each label, the last ones. */
const THUMBNAILS = 8;

/** Pictures from the camera into labels, for as long as a label's button is held. */
export function BurstDialog({ onClose, onUse }: { onClose(): void; onUse(files: { path: string; blob: Blob }[]): void }) {
  const camera = useCamera();
  const [labels, setLabels] = useState<readonly BurstLabel[]>([
    { id: 1, name: 'label 1', frames: [] },
    { id: 2, name: 'label 2', frames: [] },
  ]);
  const [sentences, setSentences] = useState<Sentences>({ question: DEFAULT_QUESTION, answer: LABEL_PLACE });
  const [clicks, setClicks] = useState(false);
  const [holdOut, setHoldOut] = useState(true);
  const [closing, setClosing] = useState(false);
  const [said, setSaid] = useState('');
  const recorder = useRecorder(camera.take, labels, setLabels, setSaid);
  const count = frameCount(labels);
  const problem = namesProblem(labels);
  useEffect(() => {
    // The last picture would be taken again and again.
    if (camera.error) recorder.stop();
  });
  const changeLabel = (id: number, name: string) => setLabels(labels.map((one) => (one.id === id ? { ...one, name } : one)));

  function remove(label: BurstLabel): void {
    recorder.stop();
    for (const { url } of label.frames) URL.revokeObjectURL(url);
    setLabels(labels.filter(({ id }) => id !== label.id));
  }

  function undo(): void {
    recorder.stop();
    const { labels: left, removed } = withoutLastBurst(labels);
    for (const { url } of removed) URL.revokeObjectURL(url);
    setLabels(left);
    setSaid(`${plural(removed.length, 'picture')} of the last burst removed.`);
  }

  function close(): void {
    recorder.stop();
    if (count === 0) onClose();
    else setClosing(true);
  }

  return (
    <Dialog title="Record pictures of labels" onClose={close}>
      {camera.error && count === 0 ? (
        <Problem error={camera.error} />
      ) : (
        <form
          className={dialogStyles.form}
          onSubmit={(event) => {
            event.preventDefault();
            recorder.stop();
            onUse(filesOf(labels, sentences, holdOut));
          }}
        >
          {camera.error && <Problem error={camera.error} />}
          <video
            ref={camera.video}
            className={styles.video}
            autoPlay
            muted
            playsInline
            aria-label="What the camera sees"
            onLoadedData={camera.onLoaded}
          />
          <p className={dialogStyles.hint}>
            {camera.ready
              ? 'Hold a label’s button, with the mouse, a finger, Space or Enter: four pictures a second. Move a little, and turn what is to be seen.'
              : 'Opening the camera…'}
          </p>
          <label className={styles.check}>
            <input
              type="checkbox"
              checked={clicks}
              onChange={({ target }) => {
                recorder.stop();
                setClicks(target.checked);
              }}
            />
            One press starts, another stops, without holding
          </label>
          <ul className={styles.labels}>
            {labels.map((label, i) => (
              <li key={label.id} className={styles.label}>
                <div className={styles.row}>
                  <input
                    aria-label={`Name of label ${i + 1}`}
                    maxLength={60}
                    value={label.name}
                    onChange={({ target }) => changeLabel(label.id, target.value)}
                  />
                  <RecordButton
                    name={label.name}
                    on={recorder.label === label.id}
                    clicks={clicks}
                    disabled={!camera.ready || camera.error !== null || count >= MOST_FRAMES}
                    onStart={() => recorder.start(label.id)}
                    onStop={recorder.stop}
                  />
                  <IconButton icon="trash" label={removeWords(label)} disabled={labels.length === 1} onClick={() => remove(label)} />
                </div>
                <div className={styles.strip}>
                  <span className={styles.count}>{plural(label.frames.length, 'picture')}</span>
                  {label.frames.slice(-THUMBNAILS).map(({ id, url }) => (
                    <img key={id} src={url} alt="" />
                  ))}
                </div>
              </li>
            ))}
          </ul>
          <div className={dialogStyles.actions}>
            <Button
              size="small"
              icon="plus"
              disabled={labels.length >= MOST_LABELS}
              onClick={() => {
                const id = Math.max(...labels.map((one) => one.id)) + 1;
                setLabels([...labels, { id, name: `label ${id}`, frames: [] }]);
              }}
            >
              Add a label
            </Button>
            <Button size="small" icon="retry" disabled={count === 0} onClick={undo}>
              Undo the last burst
            </Button>
          </div>
          <p role="status" className={dialogStyles.hint}>
            {count >= MOST_FRAMES ? `${MOST_FRAMES} pictures: that is as many as fit here at once.` : said}
          </p>
          <SentenceFields value={sentences} example={labels[0]!.name} onChange={setSentences} />
          <label className={styles.check}>
            <input
              type="checkbox"
              checked={holdOut && canHoldOut(labels)}
              disabled={!canHoldOut(labels)}
              onChange={({ target }) => setHoldOut(target.checked)}
            />
            Hold the last burst of every label out, to measure on it
          </label>
          <p className={dialogStyles.hint}>
            Pictures of one burst are nearly alike. Record a second one of each label, somewhere else: only on that can be seen what was
            learnt. The nano models have never seen a photograph; other models, on the Models screen, have.
          </p>
          {problem && <p className={dialogStyles.warning}>{problem}</p>}
          {closing && (
            <div className={styles.closing} role="alert">
              <span>Throw {plural(count, 'picture')} away?</span>
              <Button size="small" variant="danger" onClick={onClose}>
                Throw away
              </Button>
              <Button size="small" autoFocus onClick={() => setClosing(false)}>
                Keep recording
              </Button>
            </div>
          )}
          <Button
            type="submit"
            variant="primary"
            icon="check"
            disabled={count === 0 || problem !== null || !isComplete(sentences) || recorder.label !== null}
          >
            {count === 0 ? 'Use these pictures' : `Use ${count === 1 ? 'this picture' : `these ${count} pictures`}`}
          </Button>
        </form>
      )}
    </Dialog>
  );
}

function removeWords({ name, frames }: BurstLabel): string {
  return frames.length === 0 ? `Remove ${name}` : `Remove ${name} and its ${plural(frames.length, 'picture')}`;
}

interface Recorder {
  /** The label that is recorded now, by its id. */
  label: number | null;
  start(label: number): void;
  stop(): void;
}

/** Takes a picture at once and then at equal times, until it is stopped or there are enough. */
function useRecorder(
  take: (mostPixels: number) => Promise<Blob | null>,
  labels: readonly BurstLabel[],
  setLabels: React.Dispatch<React.SetStateAction<readonly BurstLabel[]>>,
  say: (words: string) => void,
): Recorder {
  const [label, setLabel] = useState<number | null>(null);
  const going = useRef<{ timer: number; label: number; burst: number } | null>(null);
  const next = useRef({ burst: 1, frame: 1 });
  const all = useRef(labels);
  useEffect(() => {
    all.current = labels;
  });

  function stop(): void {
    const { current: stopped } = going;
    if (!stopped) return;
    window.clearInterval(stopped.timer);
    going.current = null;
    setLabel(null);
    const one = all.current.find(({ id }) => id === stopped.label);
    if (one) say(`${one.name}: ${plural(one.frames.length, 'picture')}.`);
  }

  async function record(): Promise<void> {
    const { current: at } = going;
    if (!at) return;
    const blob = await take(FRAME_PIXELS);
    // Let go in the meantime: a burst that was undone must not come back with its last picture.
    if (!blob || going.current !== at) return;
    if (frameCount(all.current) >= MOST_FRAMES) return stop();
    const frame = { id: next.current.frame++, burst: at.burst, blob, url: URL.createObjectURL(blob) };
    setLabels((now) => now.map((one) => (one.id === at.label ? { ...one, frames: [...one.frames, frame] } : one)));
  }

  useEffect(() => {
    // Who looks elsewhere does not hear the button being let go.
    window.addEventListener('blur', stop);
    return () => {
      window.removeEventListener('blur', stop);
      window.clearInterval(going.current?.timer);
      for (const { frames } of all.current) for (const { url } of frames) URL.revokeObjectURL(url);
    };
  }, []);

  return {
    label,
    start(id) {
      stop();
      going.current = { timer: window.setInterval(() => void record(), FRAME_MS), label: id, burst: next.current.burst++ };
      setLabel(id);
      void record();
    },
    stop,
  };
}

function RecordButton({
  name,
  on,
  clicks,
  disabled,
  onStart,
  onStop,
}: {
  name: string;
  on: boolean;
  /** Whether a press starts and another stops, in place of holding. */
  clicks: boolean;
  disabled: boolean;
  onStart(): void;
  onStop(): void;
}) {
  const isHeldKey = ({ key }: KeyboardEvent) => !clicks && (key === ' ' || key === 'Enter');
  const words = clicks ? (on ? 'Stop' : 'Start') : on ? 'Recording' : 'Hold to record';
  return (
    <button
      type="button"
      className={styles.record}
      data-on={on || undefined}
      aria-pressed={on}
      disabled={disabled && !on}
      aria-label={`${words}: ${name}`}
      onPointerDown={(event) => {
        if (clicks || event.button !== 0) return;
        // So that letting go is heard wherever the finger is by then.
        event.currentTarget.setPointerCapture(event.pointerId);
        onStart();
      }}
      onPointerUp={() => !clicks && onStop()}
      onPointerCancel={() => !clicks && onStop()}
      onKeyDown={(event) => {
        if (!isHeldKey(event)) return;
        event.preventDefault();
        if (!event.repeat) onStart();
      }}
      onKeyUp={(event) => {
        if (isHeldKey(event)) onStop();
      }}
      onBlur={() => !clicks && onStop()}
      onClick={() => {
        if (clicks) (on ? onStop : onStart)();
      }}
      // A finger that stays is no wish for a menu here.
      onContextMenu={(event) => event.preventDefault()}
    >
      {words}
    </button>
  );
}
