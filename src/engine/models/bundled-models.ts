import type { ModelEntry } from '../api.ts';

/** A model that ships with the page, in `public/models/<id>`. */
export interface BundledModel extends Pick<ModelEntry, 'id' | 'title' | 'parameters' | 'bytes' | 'note'> {
  /** Its family's id. */
  family: string;
  /** A start for studies, which the lab and the command line take and the page offers nobody to talk to. */
  isStart?: true;
}

/** The nano models, best first. `bytes` adds up each manifest; a test holds both figures to the files. */
export const BUNDLED_MODELS: readonly BundledModel[] = [
  {
    id: 'nano-d',
    title: 'nano-d',
    family: 'nvlm-d',
    parameters: 3_049_344,
    bytes: 6_156_302,
    note: 'Reads notes, receipts, bar charts and shapes on one to six tiles: the one to start with.',
  },
  {
    id: 'nano-x',
    title: 'nano-x',
    family: 'nvlm-x',
    parameters: 3_467_908,
    bytes: 6_981_982,
    note: 'Reads one to six tiles through cross-attention, somewhat less surely than nano-d, and is the best in text.',
  },
  {
    id: 'nano-h',
    title: 'nano-h',
    family: 'nvlm-h',
    parameters: 3_639_940,
    bytes: 7_342_707,
    note: 'Reads one tile as well as nano-d and loses with every tile more: six it often confuses.',
  },
  {
    id: 'nano-base',
    title: 'nano-base',
    family: 'nvlm-d',
    parameters: 3_049_344,
    bytes: 6_139_778,
    note: 'A start for studies: it has never seen a tile tag or a second tile.',
    isStart: true,
  },
];

export function isBundled(id: string): boolean {
  return BUNDLED_MODELS.some((model) => model.id === id);
}

/** @param modelsUrl where the bundled models' folders lie, with a closing slash */
export function bundledFolder(id: string, modelsUrl: URL): URL {
  return new URL(`${id}/`, modelsUrl);
}
