import { setParams, useRoute } from '../router.ts';
import type { LabChoice } from '../../engine/lab/lab-api.ts';

export const VIEWS = ['experiments', 'runs'] as const;
export type LabViewName = (typeof VIEWS)[number];

/** Where the screen stands: `#/lab?view=runs`, `#/lab?experiment=tile-tags&scale=minutes&seeds=3`. */
export function useLabAddress(): { view: LabViewName; experiment: string | null } & LabChoice {
  const { params } = useRoute();
  const seeds = /^\d{1,2}$/.test(params.seeds ?? '') ? Number(params.seeds) : null;
  return {
    view: VIEWS.find((view) => view === params.view) ?? 'experiments',
    experiment: params.experiment ?? null,
    scale: params.scale ?? null,
    seeds: seeds === 0 ? null : seeds,
  };
}

export function openLabAt(patch: { view?: LabViewName; experiment?: string; scale?: string | null; seeds?: number | null }): void {
  setParams(patch, { push: patch.view !== undefined || patch.experiment !== undefined });
}
