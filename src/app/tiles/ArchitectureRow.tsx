import { useMemo } from 'react';
import type { ArchitectureCost } from '../../engine/api.ts';
import { formatBytes, formatCount } from '../format.ts';
import styles from './ArchitectureRow.module.css';
import type { ArchitectureId } from './focus-store.ts';
import { crossBlocks, decoderBlocks } from './token-lane.ts';
import { TokenLane } from './TokenLane.tsx';
import type { Shown } from './use-inspection.ts';

const IN_WORDS: Record<ArchitectureId, string> = {
  D: 'every tile unrolled into the decoder',
  X: 'tiles only through cross-attention',
  H: 'thumbnail in the decoder, tiles through cross-attention',
};

interface Props {
  shown: Shown;
  architecture: ArchitectureId;
  side: number;
}

/** What one architecture reads: its decoder sequence, the keys of its cross-attention, and what both cost. */
export function ArchitectureRow({ shown, architecture, side }: Props) {
  const { plans, tokenTexts, costs } = shown.inspection;
  const plan = plans[architecture];
  const decoder = useMemo(() => decoderBlocks(plan, tokenTexts), [plan, tokenTexts]);
  const cross = useMemo(() => crossBlocks(plan, tokenTexts), [plan, tokenTexts]);
  const heading = `tiles-architecture-${architecture}`;
  return (
    <section className={styles.row} aria-labelledby={heading} data-architecture={architecture}>
      <header className={styles.header}>
        <h3 id={heading}>
          NVLM-<strong>{architecture}</strong>
        </h3>
        <p>{IN_WORDS[architecture]}</p>
      </header>
      <Costs costs={costs} architecture={architecture} />
      <p className={styles.laneName}>Decoder sequence</p>
      <TokenLane
        shown={shown}
        architecture={architecture}
        lane="decoder"
        label={`NVLM-${architecture}, decoder sequence`}
        blocks={decoder}
        side={side}
      />
      {cross.length > 0 && (
        <>
          <p className={styles.laneName}>Cross-attention keys and values</p>
          <div className={styles.cross}>
            <TokenLane
              shown={shown}
              architecture={architecture}
              lane="cross"
              label={`NVLM-${architecture}, cross-attention keys`}
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
        const value = costs[architecture][name];
        const largest = Math.max(costs.D[name], costs.X[name], costs.H[name], 1);
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
