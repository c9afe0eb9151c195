import { useEffect, useRef, useState } from 'react';
import type { ComposedPicture } from '../../../workers/desk-pictures.ts';
import type { ComposeForm } from '../../desk/compose/form.ts';
import type { SceneKind } from '../../desk/scene.ts';
import { Button } from '../components/Button.tsx';
import { Notice } from '../components/Notice.tsx';
import { Segmented } from '../components/Segmented.tsx';
import { useApp, usePictures } from '../state/hooks.ts';
import { ChartFields, NoteField, ReceiptFields } from './ComposeFields.tsx';
import styles from './ComposePicture.module.css';
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
  const pictures = usePictures();
  const composed = useComposed(form);
  const offerLater = useApp((state) => state.offerLater);
  const ask = useApp((state) => state.ask);
  if (!composed) return <p className={styles.note}>Fetching pens and paper…</p>;
  const { suggestedQuestions, problems, hints, blank } = composed;

  /** Of what stands in the form now: the drawing on show may be a moment behind. */
  function show(): Promise<boolean> {
    const name = NAMES[form.kind];
    return offerLater(name, async () => {
      const { file, description, suggestedQuestions, knownAnswers } = await pictures.compose(form);
      return { name, description, bytes: file, origin: { kind: 'composed' }, suggestedQuestions, knownAnswers };
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
        <Preview composed={composed} />
        <div className={styles.looks}>
          <Button variant="primary" size="small" disabled={blank} onClick={() => void show()}>
            Use this picture
          </Button>
          <Button size="small" variant="quiet" icon="retry" onClick={() => onChange({ seed: form.seed + 1, plain: false })}>
            Another look
          </Button>
          {!form.plain && (
            <Button size="small" variant="quiet" onClick={() => onChange({ plain: true })}>
              Plain look
            </Button>
          )}
        </div>
      </div>
      {!blank && (
        <ul className={styles.questions} aria-label="Ask about what you typed">
          {suggestedQuestions.map((question) => (
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

function Preview({ composed: { file } }: { composed: ComposedPicture }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    let gone = false;
    const png = new Blob([file as Uint8Array<ArrayBuffer>], { type: 'image/png' });
    // Drawn into the same element, for a picture that is loaded anew at every letter would flicker.
    void createImageBitmap(png).then((bitmap) => {
      if (gone || !canvas.current) return;
      canvas.current.width = bitmap.width;
      canvas.current.height = bitmap.height;
      canvas.current.getContext('2d')!.drawImage(bitmap, 0, 0);
    });
    return () => {
      gone = true;
    };
  }, [file]);
  return <canvas ref={canvas} role="img" aria-label="Preview of what you typed" />;
}

/** What stands in the form, drawn; until it is, the drawing before. */
function useComposed(form: ComposeForm): ComposedPicture | null {
  const pictures = usePictures();
  const reportImageError = useApp((state) => state.reportImageError);
  const [composed, setComposed] = useState<ComposedPicture | null>(null);
  useEffect(() => {
    let overtaken = false;
    pictures.compose(form).then((picture) => overtaken || setComposed(picture), reportImageError);
    return () => {
      overtaken = true;
    };
  }, [pictures, form, reportImageError]);
  return composed;
}
