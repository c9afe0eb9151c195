import type { TokenPlan } from '../text/types.ts';

/** In `labels`: not learnt. */
const IGNORED = -100;

/** Whether the loss counts this token: the first has nothing before it that could predict it. */
export function isLearnt(label: number, position: number): boolean {
  return position > 0 && label !== IGNORED;
}

/** Tokens of the sequence that the loss counts. */
export function countLabels({ labels }: Pick<TokenPlan, 'labels'>): number {
  return labels.reduce((count, label, position) => count + (isLearnt(label, position) ? 1 : 0), 0);
}
