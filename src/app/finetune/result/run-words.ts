import type { RunSummary } from '../../../engine/runs/training-api.ts';
import { formatCount } from '../../format.ts';
import type { RunView } from '../../state/finetune-slice.ts';

/** Whether this tab computes the run at this moment. */
export function isGoing({ id }: Pick<RunSummary, 'id'>, live: RunView | null): boolean {
  return live !== null && live.activity !== 'none' && live.summary?.id === id;
}

/** How far a run is: while this tab computes it, by its last step; else by what is kept of it. */
export function runWords(run: RunSummary, live: RunView | null): string {
  const going = isGoing(run, live);
  const step = going ? (live!.history.steps.at(-1) ?? run.step) : run.step;
  const steps = going ? (live!.summary?.steps ?? run.steps) : run.steps;
  const count = `${formatCount(step)} of ${formatCount(steps)} steps`;
  if (going) return `${live!.activity === 'pausing' ? 'pausing' : 'running'} · ${count}`;
  switch (run.state) {
    case 'running':
      return `running in another tab · ${count} kept`;
    case 'paused':
      return `paused after ${count}`;
    case 'finished':
      return `finished after ${count}`;
    case 'failed':
      return `stopped by a problem after ${count}`;
  }
}
