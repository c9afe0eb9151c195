import { useEffect, useState } from 'react';
import type { Experiment, LabView } from '../../engine/lab/lab-api.ts';
import { toPlainError, type PlainError } from '../../errors.ts';
import { Button } from '../components/Button.tsx';
import { Problem } from '../components/Notice.tsx';
import { hrefWith, useRoute } from '../router.ts';
import { useEngine } from '../state/hooks.ts';
import { saveBlob } from '../tiles/export-files.ts';
import { zipped } from '../zip-files.ts';
import styles from './Lab.module.css';
import { useLabAddress } from './lab-address.ts';

/** What came of it: the picture, the same as a table, the files, and the runs to go on from. */
export function LabResult({ experiment, view }: { experiment: Experiment; view: LabView }) {
  const { scale, seeds } = useLabAddress();
  const engine = useEngine();
  const route = useRoute();
  const picture = usePictureUrl(view.picture);
  const [error, setError] = useState<PlainError | null>(null);
  const report = view.report!;
  const metrics = [...new Set(report.summary.map(({ metric }) => metric))];
  const of = (level: string, metric: string) => report.summary.find((one) => one.level === level && one.metric === metric);
  const saved = async (name: string, make: () => Promise<{ path: string; bytes: Uint8Array }[]>) => {
    setError(null);
    try {
      saveBlob(await zipped(await make()), name);
    } catch (reason) {
      setError(toPlainError(reason));
    }
  };
  return (
    <section className={styles.card} aria-labelledby="lab-result">
      <h2 id="lab-result">Result so far</h2>
      <p>
        {report.cells.length} of {view.cells.length} runs, on {report.devices.join(', ')}. Mean and 95 % interval over seeds; one seed has
        no interval.
      </p>
      {picture && <img className={styles.picture} src={picture} alt={`${experiment.question} The table below holds the same figures.`} />}
      <div className={styles.scroll} tabIndex={0} role="region" aria-label="Figures by level">
        <table className={styles.table}>
          <thead>
            <tr>
              <th scope="col">{experiment.factor}</th>
              {metrics.map((metric) => (
                <th key={metric} scope="col">
                  {metric}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {experiment.levels.map(({ level }) => (
              <tr key={level}>
                <th scope="row">{level}</th>
                {metrics.map((metric) => (
                  <td key={metric}>{words(of(level, metric))}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <div className={styles.buttons}>
        <Button
          size="small"
          icon="download"
          onClick={() => void saved(`${experiment.name}.zip`, () => engine.exportLab(experiment.name, { scale, seeds }))}
        >
          Report, JSON, CSV, picture
        </Button>
      </div>
      <details>
        <summary>Runs</summary>
        <ul className={styles.runs}>
          {view.cells
            .filter(({ run }) => run !== null)
            .map(({ index, level, seed, run, isDone }) => (
              <li key={index}>
                <span>
                  {level}, seed {seed}
                  {isDone ? '' : ' (not finished)'}
                </span>
                <Button
                  size="small"
                  variant="quiet"
                  icon="download"
                  onClick={() => void saved(`${experiment.name}-${index}.zip`, () => engine.exportRun(run!, 'run'))}
                >
                  Run files
                  <span className="unseen">
                    {' '}
                    of {level}, seed {seed}
                  </span>
                </Button>
                <a href={hrefWith('finetune', { step: 'run', run: run! }, route)}>
                  Open in Fine-tune
                  <span className="unseen">
                    : {level}, seed {seed}
                  </span>
                </a>
              </li>
            ))}
        </ul>
      </details>
      {error && <Problem error={error} onDismiss={() => setError(null)} />}
    </section>
  );
}

function words(one: { mean: number; low: number | null; high: number | null } | undefined): string {
  if (!one) return '–';
  const digits = (value: number) => value.toPrecision(3);
  return one.low === null || one.high === null ? digits(one.mean) : `${digits(one.mean)} (${digits(one.low)} to ${digits(one.high)})`;
}

/** An SVG file as an address; what is in it cannot reach the page. */
function usePictureUrl(svg: string | null): string | null {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    if (svg === null) return;
    const made = URL.createObjectURL(new Blob([svg], { type: 'image/svg+xml' }));
    setUrl(made);
    return () => {
      setUrl(null);
      URL.revokeObjectURL(made);
    };
  }, [svg]);
  return url;
}
