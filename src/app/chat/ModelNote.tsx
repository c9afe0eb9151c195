import { useApp } from '../state/hooks.ts';
import styles from './ModelNote.module.css';

/** What the nano models can do and what not, before anybody finds out the hard way. */
export function ModelNote() {
  const selected = useApp((state) => state.selectedModel);
  const note = useApp((state) => state.models?.find((model) => model.id === state.selectedModel)?.note);
  return (
    <div className={styles.note}>
      <p>
        <strong>{selected} is very small.</strong> {note}
      </p>
      <p>
        It knows one drawn world: capital letters, digits and the point, one a 28-pixel cell, six shapes in six colours,
        and bars. Anything else, a photograph too, gets a confident wrong answer.
      </p>
    </div>
  );
}
