import { setParams, useRoute } from '../router.ts';

export const STEPS = ['data', 'run', 'result'] as const;
export type Step = (typeof STEPS)[number];

/** Where the screen stands: `#/finetune?step=run&data=ID&run=ID`. */
export interface FinetuneAddress {
  step: Step;
  dataset: string | null;
  run: string | null;
}

export function useFinetuneAddress(): FinetuneAddress {
  const { params } = useRoute();
  return {
    step: STEPS.find((step) => step === params.step) ?? 'data',
    dataset: params.data ?? null,
    run: params.run ?? null,
  };
}

/** Opens a step; a history entry of its own, so that Back leads to the step before. */
export function openStep(step: Step, patch: { dataset?: string | null; run?: string | null } = {}): void {
  const { dataset, run } = patch;
  setParams({ step, ...(dataset !== undefined && { data: dataset }), ...(run !== undefined && { run }) }, { push: true });
}
