import type { TrainingPlan } from '../engine/runs/training-api.ts';
import { formatBytes, formatTable } from './format.ts';

const VERDICTS: Record<TrainingPlan['verdict'], string> = {
  fits: 'fits',
  'fits-if': 'does not fit like this',
  'does-not-fit': 'does not fit',
};

/** What a run will need, for people. */
export function trainingPlanText(model: string, backend: string, plan: TrainingPlan): string {
  const rows = [
    ['weights', formatBytes(plan.weights)],
    ['optimiser', formatBytes(plan.optimizer)],
    ['activations, about', formatBytes(plan.activations)],
    ['in all', formatBytes(plan.total)],
    ['longest record', `${plan.longest} tokens`],
    ['trained', `${plan.trainedParameters.toLocaleString('en')} parameters`],
  ];
  return [
    `The run on ${model} ${VERDICTS[plan.verdict]} on ${backend}.`,
    formatTable(rows),
    ...plan.problems,
    ...plan.notes,
    ...(plan.changes ? [`It would fit with ${JSON.stringify(plan.changes)} in the run file.`] : []),
  ].join('\n');
}
