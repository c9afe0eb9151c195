import type { AdapterUse } from '../../engine/runs/training-api.ts';
import type { RouteParams } from '../router.ts';
import { formatAdapters, parseAdapters } from '../state/adapter-slice.ts';

/** A model that takes part, with the adapters it answers with. */
export interface Contender {
  model: string;
  adapters: AdapterUse[];
}

export interface CompareSettings {
  question: string;
  contenders: Contender[];
}

const FAMILY: Contender[] = ['nano-d', 'nano-x', 'nano-h'].map((model) => ({ model, adapters: [] }));
const MOST = 6;
const LONGEST_QUESTION = 2000;

/** `nano-d,nano-d~ring:0.8`: a tilde stands between a model and each of its adapters. */
export function settingsFromParams(params: RouteParams): CompareSettings {
  const contenders = (params.models ?? '')
    .split(',')
    .slice(0, MOST)
    .map((part): Contender => {
      const [model = '', ...adapters] = part.split('~');
      return { model, adapters: parseAdapters(adapters.join(',')) };
    })
    .filter(({ model }) => model !== '' && model.length <= 300);
  return { question: (params.prompt ?? '').slice(0, LONGEST_QUESTION), contenders: contenders.length > 0 ? contenders : FAMILY };
}

export function paramsFromSettings({ question, contenders }: CompareSettings): Record<string, string | null> {
  const models = contenders.map(keyOf).join(',');
  return { prompt: question || null, models: models === FAMILY.map(keyOf).join(',') ? null : models };
}

export function keyOf({ model, adapters }: Contender): string {
  const uses = formatAdapters(adapters.map((use) => ({ ...use, on: true })));
  return uses ? `${model}~${uses.replaceAll(',', '~')}` : model;
}
