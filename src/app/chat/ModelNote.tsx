import { isBundledId, titleOf } from '../state/model-slice.ts';
import { modelAddress } from '../../engine/models/model-address.ts';
import { formatBytes } from '../format.ts';
import { SMALLEST_THAT_SEES } from '../models/presets.ts';
import { hrefFor, useRoute } from '../router.ts';
import { useApp } from '../state/hooks.ts';
import styles from './ModelNote.module.css';

const seeing = { kind: 'hub' as const, repository: SMALLEST_THAT_SEES.repository, revision: 'main' };

/** What the model can do and what not, before anybody finds out the hard way. */
export function ModelNote() {
  const selected = useApp((state) => state.selectedModel);
  const route = useRoute();
  const planModel = useApp((state) => state.planModel);
  const entry = useApp((state) => state.models?.find((model) => model.id === state.selectedModel));
  if (!isBundledId(selected)) {
    return (
      <div className={styles.note}>
        <p>
          <strong>{titleOf(selected)} is a model of your own.</strong> What it can do is for its publisher to say. The pictures and notes
          drawn here were made for the bundled models.
        </p>
        {entry?.takesPictures === false && <p>It is a text model: questions go to it without the picture.</p>}
      </div>
    );
  }
  return (
    <div className={styles.note}>
      <p>
        <strong>{selected} is very small.</strong> {entry?.note}
      </p>
      <p>
        It knows one drawn world: capital letters, digits and the point, one a 28-pixel cell, six shapes in six colours, and bars. Anything
        else, a photograph too, gets a confident wrong answer. For photographs take{' '}
        <a href={hrefFor('models', route)} onClick={() => void planModel(seeing, { contextLength: 4096 })}>
          {titleOf(modelAddress(seeing))}
        </a>
        , the smallest that sees them ({formatBytes(SMALLEST_THAT_SEES.download)}).
      </p>
    </div>
  );
}
