import { useMemo } from 'react';
import type { ArchitectureCost, Inspection } from '../../engine/api.ts';
import { formatBytes, formatCount } from '../format.ts';
import styles from './ArchitectureRow.module.css';
import type { ArchitectureId } from './focus-store.ts';
import { crossBlocks, decoderBlocks } from './token-lane.ts';
import { TokenLane } from './TokenLane.tsx';
import type { Shown } from './use-inspection.ts';

interface Props {
  shown: Shown;
  architecture: Inspection['architectures'][number];
  side: number;
}

/** What one architecture reads: its decoder sequence, the keys of its cross-attention, and what both cost. */
export function ArchitectureRow({ shown, architecture: { letter, title, words }, side }: Props) {
  const { plans, tokenTexts, costs } = shown.inspection;
  const plan = plans[letter]!;
  const decoder = useMemo(() => decoderBlocks(plan, tokenTexts), [plan, tokenTexts]);
  const cross = useMemo(() => crossBlocks(plan, tokenTexts), [plan, tokenTexts]);
  const heading = `tiles-architecture-${letter}`;
  return (
    <section className={styles.row} aria-labelledby={heading} data-architecture={letter}>
      <header className={styles.header}>
        <h3 id={heading}>
          {title.slice(0, -letter.length)}
          <strong>{letter}</strong>
        </h3>
        <p>{words}</p>
      </header>
      <Costs costs={costs} architecture={letter} />
      <p className={styles.laneName}>Decoder sequence</p>
      <TokenLane shown={shown} architecture={letter} lane="decoder" label={`${title}, decoder sequence`} blocks={decoder} side={side} />
      {cross.length > 0 && (
        <>
          <p className={styles.laneName}>Cross-attention keys and values</p>
          <div className={styles.cross}>
            <TokenLane
              shown={shown}
              architecture={letter}
              lane="cross"
              label={`${title}, cross-attention keys`}
              blocks={cross}
              side={side}
            />
          </div>
        </>
      )}
    </section>
  );
}

const METRICS: { name: keyof ArchitectureCost; label: string; format: (value: number) => string }[] = [
  { name: 'decoderTokens', label: 'decoder tokens', format: formatCount },
  { name: 'crossAttentionTokens', label: 'cross-attention tokens', format: formatCount },
  { name: 'kvBytes', label: 'KV cache', format: formatBytes },
];

function Costs({ costs, architecture }: { costs: Shown['inspection']['costs']; architecture: ArchitectureId }) {
  return (
    <dl className={styles.costs}>
      {METRICS.map(({ name, label, format }) => {
        const value = costs[architecture]![name];
        const largest = Math.max(...Object.values(costs).map((cost) => cost[name]), 1);
        return (
          <div key={name} data-metric={name} data-value={value}>
            <dt>{label}</dt>
            <dd>
              {format(value)}
              <span className={styles.meter} aria-hidden="true">
                <span style={{ width: `${(value / largest) * 100}%` }} />
              </span>
            </dd>
          </div>
        );
      })}
    </dl>
  );
}
