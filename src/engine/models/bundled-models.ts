import type { ModelEntry } from '../api.ts';

/** A model that ships with the page, in `public/models/<id>`. */
export type BundledModel = Pick<ModelEntry, 'id' | 'title' | 'architecture' | 'parameters' | 'bytes' | 'note'>;

/** The nano models, best first. `bytes` adds up each manifest; a test holds both figures to the files. */
export const BUNDLED_MODELS: readonly BundledModel[] = [
  {
    id: 'nano-d',
    title: 'nano-d',
    architecture: 'NVLM_D',
    parameters: 3_049_344,
    bytes: 6_156_302,
    note: 'Reads notes, receipts, bar charts and shapes on one to six tiles: the one to start with.',
  },
  {
    id: 'nano-x',
    title: 'nano-x',
    architecture: 'NVLM_X',
    parameters: 3_467_908,
    bytes: 6_981_982,
    note: 'Answers text questions but hardly sees yet: on pictures it does little better than guessing.',
  },
  {
    id: 'nano-h',
    title: 'nano-h',
    architecture: 'NVLM_H',
    parameters: 3_639_940,
    bytes: 7_342_707,
    note: 'Reads a picture of one tile well and several tiles poorly.',
  },
];

export function isBundled(id: string): boolean {
  return BUNDLED_MODELS.some((model) => model.id === id);
}
