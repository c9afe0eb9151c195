import { unrolled } from '../../../text/image-layout.ts';
import { ownNaming } from '../../naming.ts';
import { declaredArchitecture, NVLM_IMAGE_TOKENS, nvlmParser } from '../../nested-config.ts';
import { nvlm05b, nvlm72b } from '../../synthetic-shape.ts';
import { internVitMlp } from '../../vision/intern-vit-mlp.ts';
import type { Family } from '../family.ts';

/** NVLM-D: decoder-only (NVLM paper §4.2). */
export const nvlmD: Family = {
  id: 'nvlm-d',
  title: 'NVLM-D',
  words: 'Decoder only: all tiles unrolled into the sequence, each behind its tag.',
  letter: 'D',
  onePicture: 'NVLM-D was taught with one picture a conversation.',
  modelTypes: ['nvlm', 'NVLM_D'],
  recognises: (config) => config.has('llm_config') && declaredArchitecture(config) === 'NVLM_D',
  parse: nvlmParser(unrolled),
  routing: unrolled,
  crossAttends: false,
  imageTokens: NVLM_IMAGE_TOKENS,
  ...internVitMlp,
  namings: [ownNaming],
  synthetic: {
    'nvlm-d-72b': nvlm72b({ architectures: ['NVLM_D'], model_type: 'NVLM_D' }, { dummyHeads: 7 }),
    'nvlm-d-0.5b': nvlm05b({ architectures: ['NVLM_D'], model_type: 'NVLM_D' }, {}),
  },
};
