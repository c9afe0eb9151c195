import type { Shown } from '../tiles/use-inspection.ts';
import { HeatPicture } from './HeatPicture.tsx';
import styles from './InsideScreen.module.css';
import { layoutOfInspection } from './picture-layout.ts';
import { StoredView } from './StoredView.tsx';
import type { Stored } from './use-stored.ts';
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

interface Props {
  shown: Shown | null;
  question: string;
  progress: TraceState['progress'];
  stored: Stored | null;
}

/** The picture as it is cut, or what is stored of its answer, while the answer itself is on the way. */
export function Waiting({ shown, question, progress, stored }: Props) {
  const words = progress
    ? `${STAGES[progress.stage]}${progress.total > 1 ? `, ${progress.done} of ${progress.total}` : ''}…`
    : question
      ? 'Opening the picture…'
      : 'Type a question, and see where its answer comes from.';
  if (stored) return <StoredView stored={stored} shown={shown} waiting={words.charAt(0).toLowerCase() + words.slice(1)} />;
  return (
    <section className={styles.card} aria-busy={progress !== null}>
      <p role="status" className={styles.note}>
        {words}
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
