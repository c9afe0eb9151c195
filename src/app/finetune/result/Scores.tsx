import { useId, useState } from 'react';
import type { Confusion, LabelScore } from '../../../engine/measure/answer-scores.ts';
import { Dialog } from '../../components/Dialog.tsx';
import { Segmented } from '../../components/Segmented.tsx';
import { plural } from '../../format.ts';
import { PairCard } from '../run/PairCard.tsx';
import type { RunHistory } from '../run/run-history.ts';
import { pairSamples, type SamplePair } from '../run/sample-pairs.ts';
import { SelectField } from '../setup/fields.tsx';
import { OTHER, questionRows, shareWords, type PairAnswer, type QuestionRow, type Who } from './pair-scores.ts';
import styles from './Scores.module.css';

/** A dialog of more pictures is not looked through any more. */
const MOST_SHOWN = 60;

interface ScoresProps {
  history: RunHistory;
  version: number;
  dataset: string | null;
  /** How many held-out records the run was to ask about. */
  wanted: number;
}

/** Right answers after the last step by question and by label, and which label was taken for which. */
export function Scores({ history, dataset, wanted }: ScoresProps) {
  const id = useId();
  const [chosen, setChosen] = useState<string | null>(null);
  const pairs = pairSamples(history.samples, null);
  const rows = questionRows(pairs);
  const labelled = rows.filter(({ base, tuned }) => (tuned ?? base)!.confusion);
  const row = labelled.find(({ question }) => question === chosen) ?? labelled[0];
  if (pairs.length === 0) return null;
  const step = history.sampleSteps().at(-1)!;
  return (
    <section className={styles.scores} aria-labelledby={`${id}-title`}>
      <h3 id={`${id}-title`}>Accuracy by question and label</h3>
      <p className={styles.muted}>
        {step > 0 && `After step ${step}. `}
        {pairs.length < wanted
          ? `All ${plural(pairs.length, 'held-out record')}.`
          : `${plural(pairs.length, 'held-out record')}, spread evenly over all of them: “Sample questions” in the set-up asks about more.`}{' '}
        An answer is right when it is the expected one from the first to the last character.
      </p>
      <Scrolling label="Right answers by question">
        <ShareTable
          head="Question"
          rows={rows.map(({ question, base, tuned }) => ({ name: question, base, tuned }))}
          id={`${id}-questions`}
        />
      </Scrolling>
      {labelled.length > 1 && (
        <SelectField
          label="Labels of the question"
          value={row!.question}
          options={labelled.map(({ question }) => ({ value: question, label: question }))}
          onChange={setChosen}
        />
      )}
      {row && <Labels key={row.question} row={row} dataset={dataset} />}
    </section>
  );
}

function Labels({ row: { question, base, tuned }, dataset }: { row: QuestionRow; dataset: string | null }) {
  const [who, setWho] = useState<Who>(tuned ? 'tuned' : 'base');
  const [opened, setOpened] = useState<{ title: string; pairs: SamplePair[] } | null>(null);
  const { labels } = (tuned ?? base)!;
  const find = (scores: LabelScore[] | undefined, name: string) => scores?.find(({ label }) => label === name);
  const shown = (who === 'base' ? base : tuned) ?? base ?? tuned;
  return (
    <>
      <Scrolling label={`Right answers by label: ${question}`}>
        <ShareTable
          head="Expected answer"
          rows={labels.map(({ label }) => ({ name: label, base: find(base?.labels, label), tuned: find(tuned?.labels, label) }))}
        />
      </Scrolling>
      <div className={styles.head}>
        <h4>Which label was taken for which</h4>
        {base && tuned && (
          <Segmented<Who>
            legend="Whose answers"
            value={who}
            options={[
              { value: 'base', label: 'Base' },
              { value: 'tuned', label: 'Tuned' },
            ]}
            onChange={setWho}
          />
        )}
      </div>
      {shown?.confusion && (
        <Scrolling label={`Confusion matrix: ${question}`}>
          <Matrix confusion={shown.confusion} onOpen={(title, answers) => setOpened({ title, pairs: answers.map(({ pair }) => pair) })} />
        </Scrolling>
      )}
      <p className={styles.muted}>Rows: what was expected. Columns: what was answered. A number opens its pictures.</p>
      {opened && (
        <Dialog title={opened.title} onClose={() => setOpened(null)}>
          <ul className={styles.opened}>
            {opened.pairs.slice(0, MOST_SHOWN).map((pair) => (
              <PairCard key={pair.record} pair={pair} dataset={dataset} />
            ))}
          </ul>
          {opened.pairs.length > MOST_SHOWN && <p className={styles.muted}>and {opened.pairs.length - MOST_SHOWN} more</p>}
        </Dialog>
      )}
    </>
  );
}

function Matrix({
  confusion: { labels, cells },
  onOpen,
}: {
  confusion: Confusion<PairAnswer>;
  onOpen(title: string, answers: PairAnswer[]): void;
}) {
  const columns = [...labels, OTHER];
  return (
    <table className={styles.matrix}>
      <thead>
        <tr>
          <td />
          {columns.map((label, i) => (
            <th key={i} scope="col">
              {label}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {cells.map((row, expected) => {
          const asked = row.reduce((sum, { length }) => sum + length, 0);
          return (
            <tr key={labels[expected]}>
              <th scope="row">{labels[expected]}</th>
              {row.map((answers, answered) => {
                const title = `${labels[expected]} answered as ${columns[answered]}: ${answers.length}`;
                return (
                  <td key={answered}>
                    {answers.length > 0 ? (
                      <button
                        type="button"
                        aria-label={title}
                        data-right={expected === answered}
                        data-share={Math.ceil((3 * answers.length) / asked)}
                        onClick={() => onOpen(title, answers)}
                      >
                        {answers.length}
                      </button>
                    ) : (
                      <span className={styles.none}>0</span>
                    )}
                  </td>
                );
              })}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

type Share = { asked: number; right: number } | null | undefined;

function ShareTable({ head, rows, id }: { head: string; rows: { name: string; base: Share; tuned: Share }[]; id?: string }) {
  return (
    <table className={styles.shares} id={id}>
      <thead>
        <tr>
          <th scope="col">{head}</th>
          <th scope="col">Base</th>
          <th scope="col">Tuned</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ name, base, tuned }) => (
          <tr key={name}>
            <th scope="row">{name || '(no words)'}</th>
            <td>{shareWords(base)}</td>
            <td>{shareWords(tuned)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Wide and long tables scroll in themselves, with the keyboard too. */
function Scrolling({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <div className={styles.scroll} tabIndex={0} role="region" aria-label={label}>
      {children}
    </div>
  );
}
