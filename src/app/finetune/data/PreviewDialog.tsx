import { useEffect, useRef, useState } from 'react';
import type { ModelSource } from '../../../engine/api.ts';
import { toPlainError, type PlainError } from '../../../errors.ts';
import { Dialog } from '../../components/Dialog.tsx';
import { Notice, Problem } from '../../components/Notice.tsx';
import { formatCount, plural } from '../../format.ts';
import { dataClient, type ExamplePreview } from './data-client.ts';
import styles from './PreviewDialog.module.css';

type Pixels = NonNullable<ExamplePreview['tiling']>['tiles'][number]['pixels'];

/** A record as the trainer will see it: its tokens, which of them are learnt, and its tiles. */
export function PreviewDialog({
  dataset,
  record,
  model,
  onClose,
}: {
  dataset: string;
  record: string;
  model: ModelSource;
  onClose(): void;
}) {
  const [preview, setPreview] = useState<ExamplePreview | null>(null);
  const [error, setError] = useState<PlainError | null>(null);
  useEffect(() => {
    dataClient.preview(dataset, record, model, null).then(setPreview, (cause: unknown) => setError(toPlainError(cause)));
  }, [dataset, record, model]);
  return (
    <Dialog title={`What ${modelName(model)} learns from ${record}`} onClose={onClose}>
      <div className={styles.body} data-testid="record-preview">
        {error && <Problem error={error} />}
        {!error && !preview && <p role="status">Reading the model’s tokenizer…</p>}
        {preview && <Preview preview={preview} />}
      </div>
    </Dialog>
  );
}

function Preview({ preview }: { preview: ExamplePreview }) {
  const { runs, tiling, positions, learnt, crossAttentionTokens, contextLength, problem } = preview;
  const facts = [
    `${plural(positions, 'position')} of ${formatCount(contextLength)}`,
    `${plural(learnt, 'token')} learnt`,
    ...(crossAttentionTokens > 0 ? [`${formatCount(crossAttentionTokens)} tokens through cross-attention`] : []),
    ...(tiling ? [plural(tiling.tiles.length, 'tile')] : []),
  ];
  return (
    <>
      {problem && <Notice tone="warn">Training will leave this record out: {problem}.</Notice>}
      <p className={styles.facts}>{facts.join(' · ')}</p>
      <p className={styles.key}>
        <span className={styles.token} data-learnt>
          learnt
        </span>
        <span className={styles.token}>read, not learnt</span>
        {tiling && <span className={styles.visual}>image tokens</span>}
      </p>
      <ol className={styles.strip} aria-label="Tokens in order">
        {runs.map((run, i) =>
          run.kind === 'visual' ? (
            <li key={i} className={styles.visual} title={`${run.count} positions hold what tile ${(run.tile ?? 0) + 1} looks like`}>
              {plural(run.count, 'image token')}, tile {(run.tile ?? 0) + 1}
            </li>
          ) : (
            run.tokens.map(({ position, id, text, learnt: isLearnt }) => (
              <li
                key={position}
                className={styles.token}
                data-learnt={isLearnt || undefined}
                data-tag={run.kind === 'tag' || undefined}
                title={`Position ${position}, token ${id}, ${isLearnt ? 'learnt' : 'not learnt'}: ${JSON.stringify(text)}`}
              >
                {visible(text)}
                {isLearnt && <span className="unseen"> (learnt)</span>}
              </li>
            ))
          ),
        )}
      </ol>
      {tiling && (
        <ul className={styles.tiles} aria-label="Tiles">
          {tiling.tiles.map(({ index, tag, thumbnail, pixels }) => (
            <li key={index}>
              <TileCanvas pixels={pixels} />
              <span>{tag || (thumbnail ? 'thumbnail' : `tile ${index + 1}`)}</span>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function TileCanvas({ pixels }: { pixels: Pixels }) {
  const ref = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const canvas = ref.current!;
    const { width, height, data } = pixels;
    canvas.width = width;
    canvas.height = height;
    const out = new ImageData(width, height);
    for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
      out.data.set(data.subarray(from, from + 3), to);
      out.data[to + 3] = 255;
    }
    canvas.getContext('2d')!.putImageData(out, 0, 0);
  }, [pixels]);
  return <canvas ref={ref} aria-hidden="true" />;
}

/** Blanks and line ends as signs, so that every token can be seen. */
function visible(text: string): string {
  return text.replaceAll('\n', '↵').replaceAll('\t', '⇥').replace(/^ | $/g, '·') || '∅';
}

function modelName(model: ModelSource): string {
  switch (model.kind) {
    case 'bundled':
      return model.id;
    case 'hub':
      return model.repository;
    default:
      return 'the model';
  }
}
