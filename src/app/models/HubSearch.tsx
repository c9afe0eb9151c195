import { useEffect, useId, useState } from 'react';
import type { HubHit } from '../../engine/api.ts';
import { toPlainError, type PlainError } from '../../errors.ts';
import { Button } from '../components/Button.tsx';
import { Problem } from '../components/Notice.tsx';
import { formatBytes, formatCount } from '../format.ts';
import { useApp, useEngine } from '../state/hooks.ts';
import styles from './AddModel.module.css';

const SETTLE_MS = 300;
const SHORTEST = 2;

interface Search {
  query: string;
  hits: HubHit[] | null;
  error: PlainError | null;
}

/** Looks for repositories on the hub; a newer query ends the one before. */
export function HubSearch() {
  const engine = useEngine();
  const planModel = useApp((state) => state.planModel);
  const id = useId();
  const [query, setQuery] = useState('');
  const [attempt, setAttempt] = useState(0);
  const [search, setSearch] = useState<Search | null>(null);
  const wanted = query.trim();

  useEffect(() => {
    if (wanted.length < SHORTEST) return setSearch(null);
    const controller = new AbortController();
    const timer = setTimeout(async () => {
      setSearch({ query: wanted, hits: null, error: null });
      try {
        const hits = await engine.searchHub(wanted, { signal: controller.signal });
        if (!controller.signal.aborted) setSearch({ query: wanted, hits, error: null });
      } catch (error) {
        if (!controller.signal.aborted) setSearch({ query: wanted, hits: null, error: searchError(error) });
      }
    }, SETTLE_MS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [engine, wanted, attempt]);

  return (
    <div className={styles.search}>
      <label htmlFor={id}>Search Hugging Face</label>
      <input
        id={id}
        type="search"
        value={query}
        placeholder="e.g. InternVL"
        autoComplete="off"
        spellCheck={false}
        onChange={({ target }) => setQuery(target.value)}
      />
      <p role="status" className={styles.hint}>
        {search?.hits ? foundWords(search.hits) : search && !search.error ? 'Searching…' : ''}
      </p>
      {search?.error && (
        <Problem
          error={search.error}
          actions={
            <Button size="small" icon="retry" onClick={() => setAttempt(attempt + 1)}>
              Search again
            </Button>
          }
        />
      )}
      {search?.hits && search.hits.length > 0 && (
        <ul className={styles.hits} aria-label="Search results">
          {search.hits.map((hit) => (
            <li key={hit.repository}>
              <button
                type="button"
                data-dim={hit.loadable === false}
                onClick={() => void planModel({ kind: 'hub', repository: hit.repository, revision: 'main' })}
              >
                <span className={styles.name}>{hit.repository}</span>
                <span className={styles.hint}>{hitWords(hit)}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function foundWords(hits: HubHit[]): string {
  if (hits.length === 0) return 'No repository with safetensors has a name like that.';
  return `${hits.length} found, most downloaded first. One of them is planned when you press it; nothing is downloaded yet.`;
}

function hitWords({ bytes, downloads, likes, gated, modelType, loadable }: HubHit): string {
  const words = [
    bytes !== null && formatBytes(bytes),
    `${formatCount(downloads)} downloads`,
    `${formatCount(likes)} likes`,
    gated && 'gated',
    loadable === false && `${modelType}: not an architecture of this playground`,
  ];
  return words.filter(Boolean).join(' · ');
}

function searchError(error: unknown): PlainError {
  const plain = toPlainError(error);
  if (plain.code !== 'network' || navigator.onLine) return plain;
  return { ...plain, message: 'You are offline: the hub cannot be searched.', fix: 'Stored models load without a network.' };
}
