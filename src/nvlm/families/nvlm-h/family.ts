import { hybrid } from '../../../text/image-layout.ts';
import { ownNaming } from '../../naming.ts';
import { declaredArchitecture, NVLM_IMAGE_TOKENS, nvlmParser } from '../../nested-config.ts';
import { CROSS_ATTENTION_EVERY, nvlm05b, nvlm72b } from '../../synthetic-shape.ts';
import { internVitMlp } from '../../vision/intern-vit-mlp.ts';
import type { Family } from '../family.ts';

const CONFIG = { architectures: ['NVLM_H'], architecture: 'NVLM_H', model_type: 'nvlm' };

/** NVLM-H: hybrid (NVLM paper §4.4). */
export const nvlmH: Family = {
  id: 'nvlm-h',
  title: 'NVLM-H',
  words: 'Hybrid: the thumbnail in the sequence, regular tiles through cross-attention.',
  letter: 'H',
  onePicture: 'NVLM-H reads tiles through cross-attention, and was taught with one picture a conversation.',
  maskWords: 'Everything after the picture has begun sees every regular tile.',
  modelTypes: ['nvlm'],
  recognises: (config) => config.has('llm_config') && declaredArchitecture(config) === 'NVLM_H',
  parse: nvlmParser(hybrid),
  routing: hybrid,
  crossAttends: true,
  imageTokens: NVLM_IMAGE_TOKENS,
  ...internVitMlp,
  namings: [ownNaming],
  synthetic: {
    'nvlm-h-72b': nvlm72b(CONFIG, { crossAttentionEvery: CROSS_ATTENTION_EVERY }),
    'nvlm-h-0.5b': nvlm05b(CONFIG, { crossAttentionEvery: CROSS_ATTENTION_EVERY }),
  },
};
