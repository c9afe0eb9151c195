/**
 * How checkpoints of the same network name its tensors. `original`: InternVL's and NVLM's own names, and plain text models. `hf`: the
 * `-hf` repositories of InternVL; `hf-nested`: the same as newer versions of transformers save them, all but the head under `model.`.
 */
export type CheckpointNaming = 'original' | 'hf' | 'hf-nested';

/** Modules and tensors: ours, and what `-hf` checkpoints call them; several names are stacked by rows. `*` is a layer's number. */
const HF_NAMES: readonly (readonly [ours: string, ...theirs: string[]])[] = [
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

const hfNames = new Map(HF_NAMES.map(([ours, ...theirs]) => [ours, theirs]));

export function namingOf(tensorNames: Iterable<string>): CheckpointNaming {
  for (const name of tensorNames) {
    if (name.startsWith('model.vision_tower.') || name.startsWith('model.language_model.')) return 'hf-nested';
    if (name.startsWith('vision_tower.')) return 'hf';
  }
  return 'original';
}

/** The tensors of a file that make up our tensor `name`, stacked by rows in this order. */
export function sourceNames(name: string, naming: CheckpointNaming): string[] {
  if (naming === 'original') return [name];
  if (name.startsWith('language_model.')) {
    if (naming === 'hf') return [name];
    return [name.replace(/^language_model\.model\./, 'model.language_model.').replace(/^language_model\.lm_head/, 'lm_head')];
  }
  const [, module = name, suffix = ''] = /^(.*?)(\.weight|\.bias)?$/.exec(name)!;
  const layer = /\.layers\.(\d+)\./.exec(module)?.[1] ?? '';
  const theirs = hfNames.get(module.replace(/\.layers\.\d+\./, '.layers.*.')) ?? [module];
  return theirs.map((their) => `${naming === 'hf-nested' ? 'model.' : ''}${their.replace('*', layer)}${suffix}`);
}

/**
 * What one of our modules is called in the class that computes with such a checkpoint; several where it is split there.
 * transformers reads `-hf` checkpoints of either age into the same class.
 */
export function moduleNames(module: string, naming: CheckpointNaming): string[] {
  return sourceNames(module, naming === 'original' ? 'original' : 'hf-nested');
}

/** Does a module of the vision encoder of that class end in this name? */
export function isVisionModule(end: string, naming: CheckpointNaming): boolean {
  if (naming === 'original') return false;
  const modules = HF_NAMES.filter(([ours]) => ours.startsWith('vision_model.')).flatMap(([, ...theirs]) => theirs);
  return modules.some((module) => module.endsWith(`.${end}`));
}
