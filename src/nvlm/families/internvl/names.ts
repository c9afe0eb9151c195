import { ownNaming, tableNaming, type NameRow, type Naming } from '../../naming.ts';

/** What the `-hf` repositories of InternVL call the parts. */
const HF_NAMES: readonly NameRow[] = [
  ['vision_model.embeddings.class_embedding', 'vision_tower.embeddings.cls_token'],
  ['vision_model.embeddings.position_embedding', 'vision_tower.embeddings.position_embeddings'],
  ['vision_model.embeddings.patch_embedding', 'vision_tower.embeddings.patch_embeddings.projection'],
  [
    'vision_model.encoder.layers.*.attn.qkv',
    'vision_tower.encoder.layer.*.attention.q_proj',
    'vision_tower.encoder.layer.*.attention.k_proj',
    'vision_tower.encoder.layer.*.attention.v_proj',
  ],
  ['vision_model.encoder.layers.*.attn.q_norm', 'vision_tower.encoder.layer.*.attention.q_norm'],
  ['vision_model.encoder.layers.*.attn.k_norm', 'vision_tower.encoder.layer.*.attention.k_norm'],
  ['vision_model.encoder.layers.*.attn.proj', 'vision_tower.encoder.layer.*.attention.projection_layer'],
  ['vision_model.encoder.layers.*.norm1', 'vision_tower.encoder.layer.*.layernorm_before'],
  ['vision_model.encoder.layers.*.norm2', 'vision_tower.encoder.layer.*.layernorm_after'],
  ['vision_model.encoder.layers.*.ls1', 'vision_tower.encoder.layer.*.lambda_1'],
  ['vision_model.encoder.layers.*.ls2', 'vision_tower.encoder.layer.*.lambda_2'],
  ['vision_model.encoder.layers.*.mlp.fc1', 'vision_tower.encoder.layer.*.mlp.fc1'],
  ['vision_model.encoder.layers.*.mlp.fc2', 'vision_tower.encoder.layer.*.mlp.fc2'],
  ['mlp1.0', 'multi_modal_projector.layer_norm'],
  ['mlp1.1', 'multi_modal_projector.linear_1'],
  ['mlp1.3', 'multi_modal_projector.linear_2'],
];

const visionModules = /model\.vision_tower\..*/;
const autoMapping = {
  base_model_class: 'InternVLForConditionalGeneration',
  parent_library: 'transformers.models.internvl.modeling_internvl',
};

/** As newer versions of transformers save them, all but the head under `model.`. */
const nested = tableNaming(
  [
    ...HF_NAMES.map(([ours, ...theirs]): NameRow => [ours, ...theirs.map((their) => `model.${their}`)]),
    ['language_model.model.', 'model.language_model.'],
    ['language_model.lm_head', 'lm_head'],
  ],
  {
    id: 'hf-nested',
    marks: (name) => name.startsWith('model.vision_tower.') || name.startsWith('model.language_model.'),
    visionModules,
    autoMapping,
  },
);

/** As the repositories have them; transformers reads either into the same class. */
const hf: Naming = {
  ...tableNaming(HF_NAMES, { id: 'hf', marks: (name) => name.startsWith('vision_tower.'), visionModules, autoMapping }),
  moduleNames: nested.moduleNames,
};

/** Both layouts of `-hf`, and InternVL's own names, which are this project's. */
export const internvlNamings = [nested, hf, ownNaming] as const;
