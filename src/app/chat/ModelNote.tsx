import { useApp } from '../state/hooks.ts';
import styles from './ModelNote.module.css';

/** What the nano models can do and what not, before anybody finds out the hard way. */
export function ModelNote() {
  const selected = useApp((state) => state.selectedModel);
  const note = useApp((state) => state.models?.find((model) => model.id === state.selectedModel)?.note);
  return (
    <div className={styles.note}>
      <p>
        <strong>{selected} is very small.</strong> It reads capitals, digits and the point, one a 28-pixel cell; it knows six shapes, six
        colours and bar charts. Anything else, a photograph too, gets a confident wrong answer.
      </p>
      {note && <p>{note}</p>}
    </div>
  );
}
