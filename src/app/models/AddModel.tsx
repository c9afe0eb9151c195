import { useId, useState } from 'react';
import { sourceFromText } from '../../engine/models/model-address.ts';
import { toPlainError, type PlainError } from '../../errors.ts';
import { Button } from '../components/Button.tsx';
import { Problem } from '../components/Notice.tsx';
import { formatBytes } from '../format.ts';
import { useApp } from '../state/hooks.ts';
import styles from './AddModel.module.css';
import { FolderField } from './FolderField.tsx';
import { HubSearch } from './HubSearch.tsx';
import { PlanCard } from './PlanCard.tsx';
import { PRESETS } from './presets.ts';

/** Ways to a model that does not come with the page. Each leads to its plan; weights are fetched from there alone. */
export function AddModel() {
  const candidate = useApp((state) => state.candidate);
  return (
    <section className={styles.section} aria-labelledby="add-model">
      <h2 id="add-model">Add a model</h2>
      <p className={styles.lead}>
        Public checkpoints of the same kind load as they are: NVLM-D, InternVL, SmolVLM, nanoVLM, and plain Qwen2, Qwen3 or Llama text
        models. First comes what one needs in memory here; its weights are fetched when you press Load.
      </p>
      <div aria-live="polite">{candidate && <PlanCard candidate={candidate} />}</div>
      <div className={styles.ways}>
        <Presets />
        <div className={styles.way}>
          <HubSearch />
        </div>
        <div className={styles.way}>
          <AddressField />
          <FolderField />
          <TokenField />
        </div>
      </div>
    </section>
  );
}

function Presets() {
  const planModel = useApp((state) => state.planModel);
  return (
    <div className={styles.way}>
      <h3>Known to be of the kind</h3>
      <ul className={styles.hits} aria-label="Known models">
        {PRESETS.map(({ repository, words, licence, download, seesPhotographs }) => (
          <li key={repository}>
            <button type="button" onClick={() => void planModel({ kind: 'hub', repository, revision: 'main' }, { contextLength: 4096 })}>
              <span className={styles.name}>{repository.split('/')[1]}</span>
              <span className={styles.hint}>
                {formatBytes(download)} · {seesPhotographs ? 'sees photographs' : 'text alone'} · {licence} · {words}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

function AddressField() {
  const planModel = useApp((state) => state.planModel);
  const id = useId();
  const [text, setText] = useState('');
  const [error, setError] = useState<PlainError | null>(null);
  return (
    <form
      className={styles.search}
      onSubmit={(event) => {
        event.preventDefault();
        try {
          void planModel(sourceFromText(text));
          setError(null);
        } catch (problem) {
          setError(toPlainError(problem));
        }
      }}
    >
      <label htmlFor={id}>Id or address</label>
      <div className={styles.row}>
        <input
          id={id}
          value={text}
          placeholder="org/name, org/name@revision or https://…"
          autoComplete="off"
          spellCheck={false}
          onChange={({ target }) => setText(target.value)}
        />
        <Button type="submit" disabled={text.trim() === ''}>
          Plan
        </Button>
      </div>
      {error && <Problem error={error} onDismiss={() => setError(null)} />}
    </form>
  );
}

/** The token leaves this component for the engine's memory and nothing else. */
function TokenField() {
  const given = useApp((state) => state.hubToken);
  const setHubToken = useApp((state) => state.setHubToken);
  const id = useId();
  const [token, setToken] = useState('');
  if (given) {
    return (
      <div className={styles.row}>
        <p className={styles.hint}>A token is in use until this tab is closed.</p>
        <Button size="small" onClick={() => void setHubToken(null)}>
          Forget it
        </Button>
      </div>
    );
  }
  return (
    <details>
      <summary>Token for gated or private models</summary>
      <form
        className={styles.search}
        onSubmit={(event) => {
          event.preventDefault();
          void setHubToken(token.trim());
          setToken('');
        }}
      >
        <label htmlFor={id}>Hugging Face token</label>
        <div className={styles.row}>
          <input
            id={id}
            type="password"
            value={token}
            autoComplete="off"
            spellCheck={false}
            onChange={({ target }) => setToken(target.value)}
          />
          <Button type="submit" disabled={!/^[\x21-\x7e]+$/.test(token.trim())}>
            Use
          </Button>
        </div>
        <p className={styles.hint}>
          Kept in memory until this tab is closed, and sent to huggingface.co alone. A token that may only read is enough.
        </p>
      </form>
    </details>
  );
}
