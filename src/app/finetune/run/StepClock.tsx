import { useEffect, useState } from 'react';
import { formatDuration } from '../../format.ts';

/** Shorter steps show by themselves that the run is alive. */
const SILENT_MS = 3000;

/**
 * How long the present step has taken so far: one of a large model can take a minute.
 *
 * @param since on the clock of `performance.now`
 */
export function StepClock({ since }: { since: number }) {
  const [now, setNow] = useState(since);
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const taken = now - since;
  if (taken < SILENT_MS) return null;
  return <> This step: {formatDuration(1000 * Math.floor(taken / 1000)).replace(/\.\d+/, '')} so far.</>;
}
