import { FactList } from '../components/FactList.tsx';
import { Icon } from '../components/Icon.tsx';
import { Problem } from '../components/Notice.tsx';
import { formatBytes, formatCount, formatDuration } from '../format.ts';
import { largestIn, peakOf } from '../inside/cells.ts';
import { HeatPicture } from '../inside/HeatPicture.tsx';
import { percent } from '../inside/token-words.ts';
import { hrefWith, useRoute } from '../router.ts';
import { formatAdapters } from '../state/adapter-slice.ts';
import { tileName } from '../tiles/tile-names.ts';
import styles from './CompareScreen.module.css';
import type { Contender } from './contenders.ts';
import type { Column } from './run-compare.ts';

const STATUS: Record<Column['status'], string> = {
  waiting: 'waits for its turn',
  loading: 'loading',
  answering: 'answering',
  looking: 'looking inside',
  done: '',
  failed: '',
  stopped: 'stopped',
};

interface Props {
  contender: Contender;
  title: string;
  column: Column;
  question: string;
  /** null where nobody knows. */
  expected: string | null;
  original: ImageBitmap | null;
}

/** One contender's answer, what it took, and where it looked. */
export function ColumnView({ contender, title, column, question, expected, original }: Props) {
  const route = useRoute();
  const { status, text, result, strip } = column;
  const right = expected !== null && result ? text.trim() === expected.trim() : null;
  return (
    <section className={styles.card} aria-label={title} aria-busy={status === 'loading' || status === 'answering' || status === 'looking'}>
      <h2>{title}</h2>
      <p className={styles.answer} data-testid="compare-answer">
        {text || (result ? '∅' : '…')}
      </p>
      <p className={styles.status}>
        {STATUS[status]}
        {right === true && (
          <span className={styles.right}>
            <Icon name="check" size={12} /> right
          </span>
        )}
        {right === false && <span className={styles.wrong}>wrong: it is “{expected!.replaceAll('\n', ' / ')}”</span>}
      </p>
      {column.error && <Problem error={column.error} />}
      {strip && (
        <figure className={styles.strip}>
          <HeatPicture
            shown={{ original, pictures: strip.pictures }}
            layout={strip.layout}
            view="joined"
            map={strip.map}
            largest={largestIn(strip.map)}
            labels={strip.layout.tiles.map((_, tile) =>
              strip.map[tile] ? percent(strip.map[tile].reduce((sum, value) => sum + value, 0)) : '',
            )}
            words={null}
            focus={null}
            description={looked(strip)}
          />
          <figcaption>{looked(strip)}</figcaption>
        </figure>
      )}
      <Facts column={column} />
      {result && result.ids.length > 0 && (
        <a
          className={styles.why}
          href={hrefWith(
            'inside',
            {
              model: contender.model,
              prompt: question,
              said: result.ids.join(','),
              with: formatAdapters(contender.adapters.map((use) => ({ ...use, on: true }))) || null,
            },
            route,
          )}
        >
          <Icon name="inside" size={14} /> Why?
        </a>
      )}
    </section>
  );
}

function looked({ layout, map }: NonNullable<Column['strip']>): string {
  const peak = peakOf(map);
  return peak
    ? `Looked most at ${tileName(layout.tiles, peak.tile)}, ${percent(peak.value)} on one cell.`
    : 'No cell of the picture was read.';
}

function Facts({ column: { result, cost, weightBytes, gates } }: { column: Column }) {
  if (!result) return null;
  const { timings, usage } = result;
  const facts: [string, string][] = [
    ['tokens in the decoder', formatCount(usage.promptTokens)],
    ['tokens across', cost ? formatCount(cost.crossAttentionTokens) : '–'],
    ['keys and values', cost ? formatBytes(cost.kvBytes) : '–'],
    ['weights in memory', weightBytes === null ? '–' : formatBytes(weightBytes)],
    ['vision', formatDuration(timings.visionMs)],
    ['prefill', formatDuration(timings.prefillMs)],
    ['decode', `${formatDuration(timings.decodeMs)} for ${formatCount(usage.completionTokens)}`],
    ['gates', gates.length > 0 ? gates.map(({ used }) => used.toFixed(2)).join(' ') : 'none'],
  ];
  return <FactList facts={facts} className={styles.facts} />;
}
