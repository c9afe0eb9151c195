import { useDeferredValue, useEffect, useMemo, useRef, useState } from 'react';
import type { Composition } from '../../desk/compose/composition.ts';
import type { SceneKind } from '../../desk/scene.ts';
import { Button } from '../components/Button.tsx';
import { Notice } from '../components/Notice.tsx';
import { Segmented } from '../components/Segmented.tsx';
import type { ComposeForm } from '../state/compose-slice.ts';
import { useApp } from '../state/hooks.ts';
import { ChartFields, NoteField, ReceiptFields } from './ComposeFields.tsx';
import styles from './ComposePicture.module.css';
import { knownAnswers, paintPicture, pictureToPng } from './picture-file.ts';
import { ShapesField } from './ShapesField.tsx';

const KINDS: { value: SceneKind; label: string }[] = [
  { value: 'note', label: 'Note' },
  { value: 'receipt', label: 'Receipt' },
  { value: 'chart', label: 'Bars' },
  { value: 'shapes', label: 'Shapes' },
];

const NAMES: Record<SceneKind, string> = {
  note: 'Your note',
  receipt: 'Your receipt',
  chart: 'Your bar chart',
  shapes: 'Your shapes',
};

type Compose = (form: ComposeForm) => Composition;

/** *Type your own*: what is typed is drawn at once; a tap on a question shows the picture to the model and asks. */
export function ComposePicture() {
  const form = useApp((state) => state.composeForm);
  const change = useApp((state) => state.changeComposeForm);
  return (
    <div className={styles.compose}>
      <Segmented legend="Kind of picture" value={form.kind} options={KINDS} onChange={(kind) => change({ kind })} />
      {form.kind === 'note' && <NoteField value={form.note} onChange={(note) => change({ note })} />}
      {form.kind === 'receipt' && <ReceiptFields items={form.items} total={form.total} onChange={change} />}
      {form.kind === 'chart' && <ChartFields bars={form.bars} onChange={(bars) => change({ bars })} />}
      {form.kind === 'shapes' && <ShapesField shapes={form.shapes} grid={form.shapesGrid} onChange={change} />}
      <Result form={form} onChange={change} />
    </div>
  );
}

function Result({ form, onChange }: { form: ComposeForm; onChange(patch: Partial<ComposeForm>): void }) {
  const compose = useCompose();
  const settled = useDeferredValue(form);
  const composition = useMemo(() => compose?.(settled) ?? null, [compose, settled]);
  const offerImage = useApp((state) => state.offerImage);
  const ask = useApp((state) => state.ask);
  if (!composition) return <p className={styles.note}>Fetching pens and paper…</p>;
  const { scene, picture, suggestedQuestions, problems, hints } = composition;
  const empty = scene.cells.every((cell) => cell === null);

  async function show(): Promise<boolean> {
    return offerImage({
      name: NAMES[settled.kind],
      description: scene.questions.find(({ task }) => task.endsWith(': all'))?.answer ?? null,
      bytes: await pictureToPng(picture),
      origin: { kind: 'composed' },
      suggestedQuestions: suggestedQuestions.map(({ question }) => question),
      knownAnswers: knownAnswers(scene.questions),
    });
  }

  return (
    <>
      {problems.length + hints.length > 0 && (
        <Notice tone="warn" role="status">
          <ul>
            {[...problems, ...hints].map((words) => (
              <li key={words}>{words}</li>
            ))}
          </ul>
        </Notice>
      )}
      <div className={styles.result}>
        <PictureCanvas composition={composition} />
        <div className={styles.looks}>
          <Button variant="primary" size="small" disabled={empty} onClick={() => void show()}>
            Use this picture
          </Button>
          <Button
            size="small"
            variant="quiet"
            icon="retry"
            onClick={() => onChange({ seed: form.seed + 1, plain: false })}
          >
            Another look
          </Button>
          {!form.plain && (
            <Button size="small" variant="quiet" onClick={() => onChange({ plain: true })}>
              Plain look
            </Button>
          )}
        </div>
      </div>
      {!empty && (
        <ul className={styles.questions} aria-label="Ask about what you typed">
          {suggestedQuestions.map(({ question }) => (
            <li key={question}>
              <button
                type="button"
                onClick={async () => {
                  if (await show()) await ask(question);
                }}
              >
                {question}
              </button>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function PictureCanvas({ composition }: { composition: Composition }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (canvas.current) paintPicture(canvas.current, composition.picture);
  }, [composition]);
  return <canvas ref={canvas} role="img" aria-label="Preview of what you typed" />;
}

/** The drawing code comes when it is first wanted: it carries the outlines of a dozen fonts. */
function useCompose(): Compose | null {
  const [compose, setCompose] = useState<Compose | null>(null);
  useEffect(() => {
    void import('./compose-picture.ts').then(({ composePicture }) => setCompose(() => composePicture));
  }, []);
  return compose;
}
