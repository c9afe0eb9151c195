import type { AttentionShare, InsideTrace } from '../../engine/inside/inside-api.ts';
import { Meter } from '../components/Meter.tsx';
import { tileName } from '../tiles/tile-names.ts';
import { KINDS, meanRow, sharesIn, type Looks } from './cells.ts';
import styles from './Shares.module.css';
import { percent } from './token-words.ts';

interface Props {
  about: InsideTrace;
  looks: Looks;
  rows: readonly number[];
  /** Maxima over heads and layers are no shares: they do not sum to one. */
  how: 'mean' | 'max';
}

const OWNER_WORDS = { first: 'the first token', text: 'words of the prompt', tag: 'tile tags', answer: 'the answer so far' } as const;
const KIND_WORDS = {
  self: { title: 'In the sequence', note: 'self-attention' },
  cross: { title: 'Across to the picture', note: 'gated cross-attention' },
} as const;

/** How the chosen token's attention is divided: nothing is left out or made larger, sinks neither. */
export function Shares({ about, looks, rows, how }: Props) {
  return (
    <div className={styles.shares}>
      {KINDS.map((kind) => {
        const look = looks[kind];
        if (!look) return null;
        const shares = sharesIn(about, kind, meanRow(look, rows));
        const total = shares.reduce((sum, { share }) => sum + share, 0);
        const largest = Math.max(...shares.map(({ share }) => share), 1e-9);
        return (
          <section key={kind} aria-label={KIND_WORDS[kind].title}>
            <h3 className={styles.title}>
              {KIND_WORDS[kind].title} <small>{KIND_WORDS[kind].note}</small>
            </h3>
            <ul>
              {shares.map((share) => (
                <li key={`${share.owner} ${share.tile ?? ''}`} data-owner={share.owner}>
                  <span>{shareWords(about, share)}</span>
                  <Meter share={share.share / largest} />
                  <span className={styles.number}>{percent(share.share)}</span>
                </li>
              ))}
            </ul>
            <p className={styles.sum}>{how === 'mean' ? `sum ${percent(total)}` : 'largest of all heads: these do not sum to 100 %'}</p>
          </section>
        );
      })}
    </div>
  );
}

export function shareWords({ layout }: Pick<InsideTrace, 'layout'>, { owner, tile }: AttentionShare): string {
  if (owner === 'tile' || owner === 'thumbnail') return tileName(layout?.tiles ?? [], tile!);
  return OWNER_WORDS[owner];
}
