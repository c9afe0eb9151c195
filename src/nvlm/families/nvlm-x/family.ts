import { crossAttended } from '../../../text/image-layout.ts';
import { ownNaming } from '../../naming.ts';
import { declaredArchitecture, NVLM_IMAGE_TOKENS, nvlmParser } from '../../nested-config.ts';
import { ParameterList } from '../../parameter-list.ts';
import { CROSS_ATTENTION_EVERY, nvlm05b, nvlm72b } from '../../synthetic-shape.ts';
import { addInternVit } from '../../vision/intern-vit-parameters.ts';
import { addLinearConnector } from '../../vision/mlp-connector-parameters.ts';
import type { Family } from '../family.ts';

const CONFIG = { architectures: ['NVLM_X'], architecture: 'NVLM_X', model_type: 'nvlm' };

/** NVLM-X: cross-attention (NVLM paper §4.3); its connector is one linear. */
export const nvlmX: Family = {
  id: 'nvlm-x',
  title: 'NVLM-X',
  words: 'Gated cross-attention: tags stand in the text, each tag sees its own tile.',
  letter: 'X',
  onePicture: 'NVLM-X reads tiles through cross-attention, and was taught with one picture a conversation.',
  maskWords: 'A tag sees its own tile and no other; text after the picture sees all.',
  modelTypes: ['nvlm'],
  recognises: (config) => config.has('llm_config') && declaredArchitecture(config) === 'NVLM_X',
  parse: nvlmParser(crossAttended),
  routing: crossAttended,
  crossAttends: true,
  imageTokens: NVLM_IMAGE_TOKENS,
  visionParameters(config, dummyHeads) {
    const list = new ParameterList();
    addInternVit(list, config.vision!, dummyHeads);
    addLinearConnector(list, config);
    return list.specs;
  },
  network: async () => (await import('../../vision/linear-network.ts')).linearNetwork,
  namings: [ownNaming],
  synthetic: {
    'nvlm-x-72b': nvlm72b(CONFIG, { crossAttentionEvery: CROSS_ATTENTION_EVERY }),
    'nvlm-x-0.5b': nvlm05b(CONFIG, { crossAttentionEvery: CROSS_ATTENTION_EVERY }),
  },
};
