import { unrolled } from '../../../text/image-layout.ts';
import { siglipParameters, type SiglipForm } from '../../vision/siglip-parameters.ts';
import type { Family } from '../family.ts';
import { isNanovlm, isTiled, parseTiled, parseWhole } from './config.ts';
import { nanovlmNamings } from './names.ts';
import { tiledShapes, wholeShapes } from './synthetic.ts';

const FORM: SiglipForm = { fusedQkv: true, positions: { name: 'vision_model.embeddings.position_embedding', leading: [1] } };

const shared = {
  // Its config.json names no model_type.
  modelTypes: [],
  routing: unrolled,
  crossAttends: false,
  imageTokens: ['<|image|>'],
  visionParameters: (config) => siglipParameters(config, FORM),
  network: async () => (await import('../../vision/siglip.ts')).siglipNetwork(FORM),
  namings: nanovlmNamings,
} satisfies Partial<Family>;

/** nanoVLM (huggingface/nanoVLM) since August 2025: 230M-8k, 460M-8k. */
export const nanovlm: Family = {
  ...shared,
  id: 'nanovlm',
  title: 'nanoVLM',
  words: 'Decoder only: the whole picture first, then all tiles unrolled into the sequence row by row, each behind its row and column.',
  recognises: (config) => isNanovlm(config) && isTiled(config),
  parse: parseTiled,
  synthetic: tiledShapes,
};

/** Its releases before, 222M and 450M, which see a picture as one tile. */
export const nanovlmWhole: Family = {
  ...shared,
  id: 'nanovlm-whole',
  title: 'nanoVLM, one tile',
  words: 'Decoder only: the whole picture as one tile, before everything that is said.',
  onePicture: 'This nanoVLM was taught with one picture a conversation.',
  recognises: (config) => isNanovlm(config) && !isTiled(config),
  parse: parseWhole,
  synthetic: wholeShapes,
};
