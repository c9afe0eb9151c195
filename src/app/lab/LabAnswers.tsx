import { useId, useState } from 'react';
import type { Experiment, LabView } from '../../engine/lab/lab-api.ts';
import styles from './Lab.module.css';

/** Shown at once; those that differ come first. */
const MOST_SHOWN = 12;

/** Answers of two levels to the same questions, beside each other. */
export function LabAnswers({ experiment, view }: { experiment: Experiment; view: LabView }) {
  const withAnswers = view.results.filter(({ answers }) => answers.length > 0);
  const levels = experiment.levels.map(({ level }) => level).filter((level) => withAnswers.some((one) => one.level === level));
  const [chosen, setChosen] = useState<{ left: string; right: string } | null>(null);
  if (levels.length < 2) return null;
  const left = chosen?.left ?? levels[0]!;
  const right = chosen?.right ?? levels.at(-1)!;
  const of = (level: string, seed?: number) => withAnswers.find((one) => one.level === level && (seed === undefined || one.seed === seed));
  const first = of(left)!;
  const second = of(right, first.seed) ?? of(right)!;
  const others = new Map(second.answers.map((answer) => [answer.id, answer]));
  const pairs = first.answers.flatMap((answer) => {
    const other = others.get(answer.id);
    return other ? [{ answer, other }] : [];
  });
  const differing = pairs.filter(({ answer, other }) => answer.answer !== other.answer);
  const shown = [...differing, ...pairs.filter((pair) => !differing.includes(pair))].slice(0, MOST_SHOWN);
  return (
    <section className={styles.card} aria-labelledby="lab-answers">
      <h2 id="lab-answers">Answers beside each other</h2>
      <div className={styles.fields}>
        <LevelSelect label="Left" levels={levels} value={left} onChange={(level) => setChosen({ left: level, right })} />
        <LevelSelect label="Right" levels={levels} value={right} onChange={(level) => setChosen({ left, right: level })} />
      </div>
      <p className={styles.muted}>
        Seed {first.seed}. {differing.length} of {pairs.length} answers differ; those come first.
      </p>
      <div className={styles.scroll} tabIndex={0} role="region" aria-label="Answers of two levels">
        <table className={styles.table}>
          <thead>
            <tr>
              <th scope="col">Question</th>
              <th scope="col">Right answer</th>
              <th scope="col">{left}</th>
              <th scope="col">{right}</th>
            </tr>
          </thead>
          <tbody>
            {shown.map(({ answer, other }) => (
              <tr key={answer.id}>
                <th scope="row">{answer.question.replace(/^<image>\n?/, '')}</th>
                <td>{answer.expected}</td>
                <AnswerCell {...answer} />
                <AnswerCell {...other} />
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function AnswerCell({ answer, correct }: { answer: string; correct: boolean }) {
  return (
    <td data-correct={correct}>
      <span aria-hidden="true">{correct ? '✓ ' : '✗ '}</span>
      <span className="unseen">{correct ? 'right: ' : 'wrong: '}</span>
      {answer || '(nothing)'}
    </td>
  );
}

function LevelSelect({
  label,
  levels,
  value,
  onChange,
}: {
  label: string;
  levels: readonly string[];
  value: string;
  onChange(level: string): void;
}) {
  const id = useId();
  return (
    <div>
      <label htmlFor={id} className={styles.muted}>
        {label}
      </label>
      <select id={id} value={value} onChange={({ target }) => onChange(target.value)}>
        {levels.map((level) => (
          <option key={level}>{level}</option>
        ))}
      </select>
    </div>
  );
}
