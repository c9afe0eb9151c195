import type { RunState } from '../../../engine/training-api.ts';

export const STATE_WORDS: Record<RunState, string> = {
  running: 'not finished',
  paused: 'paused',
  finished: 'finished',
  failed: 'stopped by a problem',
};
