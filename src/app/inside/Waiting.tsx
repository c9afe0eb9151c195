import type { Shown } from '../tiles/use-inspection.ts';
import { HeatPicture } from './HeatPicture.tsx';
import styles from './InsideScreen.module.css';
import { layoutOfInspection } from './picture-layout.ts';
import type { TraceState } from './use-trace.ts';

const STAGES = {
  model: 'Waiting for the model to load',
  image: 'Decoding the picture and cutting it into tiles',
  vision: 'Vision encoder',
  answer: 'Answering',
  reading: 'Reading question and answer once more',
  worth: 'Painting tiles',
  lens: 'Reading the lens',
} as const;

/** The picture as it is cut, while its answer is on the way. */
export function Waiting({ shown, question, progress }: { shown: Shown | null; question: string; progress: TraceState['progress'] }) {
  return (
    <section className={styles.card} aria-busy={progress !== null}>
      <p role="status" className={styles.note}>
        {progress
          ? `${STAGES[progress.stage]}${progress.total > 1 ? `, ${progress.done} of ${progress.total}` : ''}…`
          : question
            ? 'Opening the picture…'
            : 'Type a question, and see where its answer comes from.'}
      </p>
      {shown && (
        <HeatPicture
          shown={shown}
          layout={layoutOfInspection(shown)}
          view="joined"
          map={[]}
          largest={0}
          labels={[]}
          words={null}
          focus={null}
          description="The picture, cut into tiles."
        />
      )}
    </section>
  );
}
