import type { ReactNode } from 'react';

/** Names and what they are, a line each. @param className how it looks */
export function FactList({
  facts,
  className,
  mono,
}: {
  facts: readonly (readonly [string, ReactNode])[];
  className: string | undefined;
  mono?: boolean;
}) {
  return (
    <dl className={className} data-mono={mono}>
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
