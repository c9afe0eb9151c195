import { adamW } from '../../ops/adamw/adamw.ts';
import type { UpdateRule } from './update-rule.ts';

export interface AdamWSettings {
  betas: [number, number];
  eps: number;
}

const MEAN = 'exp_avg';
const SQUARE = 'exp_avg_sq';

/** Each number by the running means of its gradient and of its gradient's square (Loshchilov & Hutter 2019). */
export function adamWRule({ betas: [beta1, beta2], eps }: AdamWSettings): UpdateRule {
  return {
    state: [MEAN, SQUARE],
    update({ variable, state }, gradient, step) {
      adamW({ value: variable, first: state[MEAN]!, second: state[SQUARE]! }, gradient, { ...step, beta1, beta2, eps });
    },
    scratch: () => 0,
  };
}
