import type { RunView } from '../../state/finetune-slice.ts';

/** What a run is doing, in words. */
export function stageWords({ activity, stage, summary, error }: RunView): string {
  if (activity === 'pausing') return 'Stopping after this step; then a checkpoint is written…';
  if (activity === 'running') {
    const count = stage && stage.total > 1 ? ` ${stage.done} of ${stage.total}` : '';
    switch (stage?.stage) {
      case 'load':
        return 'Loading the model…';
      case 'data':
        return `Reading the data:${count || ' …'}`;
      case 'baseline':
        return `Asking the base model first, to compare:${count || ' …'}`;
      case 'samples':
        return `Answering the sample questions:${count || ' …'}`;
      case 'save':
        return 'Writing a checkpoint…';
      case 'train':
        return 'Training.';
      case undefined:
        return 'Starting…';
    }
  }
  if (error) return 'Stopped by a problem.';
  switch (summary?.state) {
    case 'finished':
      return 'Finished.';
    case 'failed':
      return 'Stopped by a problem; the last good checkpoint is kept.';
    case 'paused':
      return 'Paused: a checkpoint is kept. It goes on from there with the same numbers as if it had never stopped.';
    case 'running':
      return 'Goes on in another tab, or its tab was closed in the middle: then it resumes from its last checkpoint.';
    case undefined:
      return '';
  }
}
