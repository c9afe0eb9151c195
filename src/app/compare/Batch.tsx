import { useId, useState } from 'react';
import { NvlmError, throwIfAborted, toPlainError, type PlainError } from '../../errors.ts';
import { Button } from '../components/Button.tsx';
import { Problem } from '../components/Notice.tsx';
import { sniffImageType } from '../state/image-slice.ts';
import { exportName, saveBlob } from '../tiles/export-files.ts';
import { accuracy, agreement, agrees, csvOf, isRight, type BatchRow, type Share } from './batch.ts';
import styles from './CompareScreen.module.css';
import type { Contender } from './contenders.ts';
import { answerOf, loadContender } from './run-compare.ts';
import { useCompareTools, useModelsInTurn } from './use-compare.ts';

/** A question about a picture whose bytes are fetched when its turn comes. */
interface Item {
  row: BatchRow;
  read(): Promise<Uint8Array>;
}

/** As many pictures as somebody reads a table of. */
const MOST_PICTURES = 500;
const MOST_BYTES = 64 * 2 ** 20;
const QUESTIONS_AN_EXAMPLE = 2;

/** The same through many pictures: the bundled examples with their own questions, or a folder with the question above. */
export function Batch({
  contenders,
  titles,
  question,
  together,
}: {
  contenders: readonly Contender[];
  titles: string[];
  question: string;
  together: () => Promise<boolean>;
}) {
  const tools = useCompareTools();
  const turns = useModelsInTurn();
  const [rows, setRows] = useState<BatchRow[]>([]);
  const [progress, setProgress] = useState<{ done: number; total: number } | null>(null);
  const [problems, setProblems] = useState<PlainError[]>([]);
  const [ran, setRan] = useState<string[]>([]);
  const input = useId();

  const start = (prepare: () => Promise<Item[]>) =>
    turns.run(contenders, together, async (signal) => {
      setRows([]);
      setProblems([]);
      setRan(titles);
      try {
        const items = await prepare();
        const table = items.map(({ row }) => row);
        const show = () => setRows(table.map((row) => ({ ...row, answers: [...row.answers] })));
        show();
        let done = 0;
        const total = items.length * contenders.length;
        for (const [index, contender] of contenders.entries()) {
          try {
            const loaded = await loadContender(tools, contender);
            for (const [at, { row, read }] of items.entries()) {
              throwIfAborted(signal);
              setProgress({ done, total });
              const { text } = await answerOf(tools, loaded, contender, { question: row.question, image: await read() }, { signal });
              throwIfAborted(signal);
              table[at]!.answers[index] = text;
              done++;
              show();
            }
          } catch (error) {
            throwIfAborted(signal);
            // The others are compared all the same.
            setProblems((now) => [...now, toPlainError(error)]);
            done = (index + 1) * items.length;
          }
        }
      } catch (error) {
        const plain = toPlainError(error);
        if (plain.code !== 'cancelled') setProblems((now) => [...now, plain]);
      } finally {
        setProgress(null);
      }
    });

  const blank = () => contenders.map(() => null);
  const examples = async (): Promise<Item[]> =>
    (await tools.pictures.examples()).flatMap(({ id, title, suggestedQuestions, knownAnswers }) =>
      suggestedQuestions
        .filter((known) => Object.hasOwn(knownAnswers, known))
        .slice(0, QUESTIONS_AN_EXAMPLE)
        .map((known) => ({
          row: { picture: title, question: known, expected: knownAnswers[known]!, answers: blank() },
          read: () => tools.pictures.exampleFile(id),
        })),
    );
  const folder = async (files: File[]): Promise<Item[]> => {
    const pictures: Item[] = [];
    for (const file of files.toSorted((a, b) => a.name.localeCompare(b.name))) {
      if (file.size > MOST_BYTES || sniffImageType(new Uint8Array(await file.slice(0, 16).arrayBuffer())) === null) continue;
      const read = async () => new Uint8Array(await file.arrayBuffer());
      pictures.push({ row: { picture: file.webkitRelativePath || file.name, question, expected: null, answers: blank() }, read });
    }
    if (question.trim() === '') throw new NvlmError('empty-prompt', 'There is no question to ask about each picture.', 'Type one above.');
    if (pictures.length === 0)
      throw new NvlmError(
        'bad-data',
        'The folder has no picture that can be read here.',
        'Choose one with PNG, JPEG or WebP files of up to 64 MB.',
      );
    if (pictures.length > MOST_PICTURES)
      throw new NvlmError('usage', `The folder has ${pictures.length} pictures.`, `Choose one with at most ${MOST_PICTURES}.`);
    const left = files.length - pictures.length;
    if (left > 0)
      setProblems([
        { code: 'bad-data', message: `${left} of ${files.length} files are no pictures that can be read here.`, fix: 'They are left out.' },
      ]);
    return pictures;
  };

  return (
    <section className={styles.card} aria-labelledby="compare-batch">
      <h2 id="compare-batch">Many at once</h2>
      <div className={styles.row}>
        <Button icon="play" disabled={turns.running} onClick={() => start(examples)}>
          All examples
        </Button>
        <label className={styles.folder} data-disabled={turns.running || undefined} htmlFor={input}>
          A folder, with the question above
        </label>
        <input
          id={input}
          className="unseen"
          type="file"
          multiple
          disabled={turns.running}
          ref={(element) => element?.setAttribute('webkitdirectory', '')}
          onChange={(event) => {
            const files = [...(event.target.files ?? [])];
            event.target.value = '';
            if (files.length > 0) start(() => folder(files));
          }}
        />
        {progress && (
          <>
            <progress max={progress.total} value={progress.done} aria-label="Questions answered" /> {progress.done} of {progress.total}
            <Button size="small" icon="stop" onClick={turns.stop}>
              Stop
            </Button>
          </>
        )}
        {rows.length > 0 && !turns.running && (
          <Button
            icon="download"
            onClick={() => saveBlob(new Blob([csvOf(rows, ran)], { type: 'text/csv' }), exportName('models', 'compared.csv'))}
          >
            CSV
          </Button>
        )}
      </div>
      {problems.map((problem, at) => (
        <Problem key={at} error={problem} />
      ))}
      {rows.length > 0 && ran.length === rows[0]!.answers.length && <Table rows={rows} titles={ran} />}
    </section>
  );
}

function Table({ rows, titles }: { rows: readonly BatchRow[]; titles: readonly string[] }) {
  const same = agreement(rows, titles.length);
  return (
    <>
      <div className={styles.scroll} tabIndex={0} role="region" aria-label="Agreement">
        <table className={styles.table}>
          <caption>How often two said the same, and how often each was right</caption>
          <thead>
            <tr>
              <td />
              {titles.map((title) => (
                <th key={title} scope="col">
                  {title}
                </th>
              ))}
              <th scope="col">right</th>
            </tr>
          </thead>
          <tbody>
            {titles.map((title, a) => (
              <tr key={title}>
                <th scope="row">{title}</th>
                {titles.map((other, b) => (
                  <td key={other}>{a === b ? '·' : shareWords(same[a]![b]!)}</td>
                ))}
                <td>{shareWords(accuracy(rows, a))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <div className={styles.scroll} tabIndex={0} role="region" aria-label="All answers">
        <table className={styles.table}>
          <thead>
            <tr>
              <th scope="col">picture</th>
              <th scope="col">question</th>
              <th scope="col">it is</th>
              {titles.map((title) => (
                <th key={title} scope="col">
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row, at) => (
              <tr key={at} data-differs={agrees(row) === false || undefined}>
                <td>{row.picture}</td>
                <td>{row.question}</td>
                <td>{row.expected ?? ''}</td>
                {row.answers.map((answer, contender) => (
                  <td key={titles[contender]} data-right={isRight(row, contender) ?? undefined}>
                    {answer ?? '…'}
                    {isRight(row, contender) === false && <span className="unseen"> (wrong)</span>}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function shareWords({ count, of }: Share): string {
  return of === 0 ? '–' : `${count} of ${of}`;
}
