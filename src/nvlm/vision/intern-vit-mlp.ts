import type { Family } from '../families/family.ts';
import { ParameterList } from '../parameter-list.ts';
import { addInternVit } from './intern-vit-parameters.ts';
import { addMlpConnector } from './mlp-connector-parameters.ts';

/** InternViT and a connector of two linears behind a norm, as NVLM-D, NVLM-H and InternVL have them. */
export const internVitMlp: Pick<Family, 'visionParameters' | 'network'> = {
  visionParameters(config, dummyHeads) {
    const list = new ParameterList();
    addInternVit(list, config.vision!, dummyHeads);
    addMlpConnector(list, config);
    return list.specs;
  },
  network: async () => (await import('./mlp-network.ts')).mlpNetwork,
};
