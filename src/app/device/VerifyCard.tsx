import { useEffect, useRef, useState } from 'react';
import type { OpCaseResult, VerifyProgress } from '../../engine/api.ts';
import { toPlainError, type PlainError } from '../../errors.ts';
import { Button } from '../components/Button.tsx';
import { Notice, Problem } from '../components/Notice.tsx';
import { useApp, useEngine } from '../state/hooks.ts';
import screen from './DeviceScreen.module.css';
import styles from './VerifyCard.module.css';

/** Lets visitors hold their own device to the references: the tests have only seen software GPU adapters. */
export function VerifyCard() {
  const engine = useEngine();
  const device = useApp((state) => state.device);
  const [progress, setProgress] = useState<VerifyProgress | null>(null);
  const [results, setResults] = useState<OpCaseResult[] | null>(null);
  const [error, setError] = useState<PlainError | null>(null);
  const running = useRef<AbortController | null>(null);

  // What was found belongs to the device it was found on.
  useEffect(() => {
    setResults(null);
    setError(null);
    return () => running.current?.abort();
  }, [device]);

  async function verify(): Promise<void> {
    const controller = new AbortController();
    running.current = controller;
    setResults(null);
    setError(null);
    setProgress({ done: 0, total: 0 });
    try {
      const found = await engine.verify({
        signal: controller.signal,
        onProgress: (now) => running.current === controller && setProgress(now),
      });
      if (running.current === controller) setResults(found);
    } catch (cause) {
      const plain = toPlainError(cause);
      if (running.current === controller && plain.code !== 'cancelled') setError(plain);
    }
    if (running.current !== controller) return;
    running.current = null;
    setProgress(null);
  }

  return (
    <section className={screen.card} aria-labelledby="device-verify">
      <h2 id="device-verify">Does it compute right?</h2>
      <p className={screen.muted}>
        Every op of the models, forward and gradient, on this device against a plain reference. Seconds on wasm or a graphics card, a minute
        or more on a software GPU adapter.
      </p>
      {progress ? (
        <div className={styles.running}>
          <progress aria-label="Ops checked" max={Math.max(1, progress.total)} value={progress.done} />
          <span role="status">{progress.total === 0 ? 'Waiting for the engine' : `${progress.done} of ${progress.total} ops`}</span>
          <Button size="small" onClick={() => running.current?.abort()}>
            Stop
          </Button>
        </div>
      ) : (
        <Button size="small" icon="check" disabled={!device} onClick={() => void verify()}>
          Check every op
        </Button>
      )}
      {error && <Problem error={error} />}
      {results && <Results results={results} />}
    </section>
  );
}

function Results({ results }: { results: OpCaseResult[] }) {
  const wrong = results.filter(({ ok }) => !ok);
  const refused = new Set(wrong.flatMap(({ variant }) => variant ?? []));
  const failed = wrong.filter(({ variant }) => variant === null).length;
  return (
    <>
      <Notice tone={failed > 0 ? 'danger' : 'info'} role="status">
        <p>
          {failed > 0
            ? `${failed} of ${results.length} cases differ: answers on this device cannot be trusted. Choose another backend.`
            : `All ${refused.size > 0 ? 'other ' : ''}${results.length - wrong.length} cases agree.`}
        </p>
        {refused.size > 0 && <p>Wrong on this device and not used, the default takes their place: {[...refused].join(', ')}.</p>}
      </Notice>
      <details className={styles.details}>
        <summary>Largest differences, case by case</summary>
        <div className={styles.scroll} tabIndex={0} role="region" aria-label="Results">
          <table>
            <thead>
              <tr>
                <th scope="col">op</th>
                <th scope="col">case</th>
                <th scope="col">forward</th>
                <th scope="col">gradient</th>
                <th scope="col">bound</th>
              </tr>
            </thead>
            <tbody>
              {results.map((result) => (
                <tr key={`${result.op} ${result.case}`} data-ok={result.ok}>
                  <th scope="row">{result.op}</th>
                  <td>{result.case}</td>
                  <td>{figure(result.forwardError)}</td>
                  <td>{figure(result.gradientError)}</td>
                  <td>{figure(result.bound)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </>
  );
}

function figure(value: number | null): string {
  return value === null ? '–' : value.toExponential(1);
}
