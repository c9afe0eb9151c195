import { tableNaming, type NameRow, type Naming } from '../../naming.ts';

const ROWS: readonly NameRow[] = [
  // One tensor, not a module's weight; see `POSITIONS`.
  ['vision_model.embeddings.position_embedding', 'vision_encoder.patch_embedding.position_embedding'],
  ['vision_model.embeddings.patch_embedding', 'vision_encoder.patch_embedding.conv'],
  ['vision_model.encoder.layers.*.layer_norm1', 'vision_encoder.blocks.*.ln1'],
  ['vision_model.encoder.layers.*.self_attn.qkv_proj', 'vision_encoder.blocks.*.attn.qkv_proj'],
  ['vision_model.encoder.layers.*.self_attn.out_proj', 'vision_encoder.blocks.*.attn.out_proj'],
  ['vision_model.encoder.layers.*.layer_norm2', 'vision_encoder.blocks.*.ln2'],
  ['vision_model.encoder.layers.*.mlp.fc1', 'vision_encoder.blocks.*.mlp.fc1'],
  ['vision_model.encoder.layers.*.mlp.fc2', 'vision_encoder.blocks.*.mlp.fc2'],
  ['vision_model.post_layernorm', 'vision_encoder.layer_norm'],
  ['connector.proj', 'MP.proj'],
  ['language_model.model.layers.*.input_layernorm', 'decoder.blocks.*.norm1'],
  ['language_model.model.layers.*.self_attn.q_proj', 'decoder.blocks.*.attn.q_proj'],
  ['language_model.model.layers.*.self_attn.k_proj', 'decoder.blocks.*.attn.k_proj'],
  ['language_model.model.layers.*.self_attn.v_proj', 'decoder.blocks.*.attn.v_proj'],
  ['language_model.model.layers.*.self_attn.o_proj', 'decoder.blocks.*.attn.out_proj'],
  ['language_model.model.layers.*.post_attention_layernorm', 'decoder.blocks.*.norm2'],
  ['language_model.model.layers.*.mlp.gate_proj', 'decoder.blocks.*.mlp.gate_proj'],
  ['language_model.model.layers.*.mlp.up_proj', 'decoder.blocks.*.mlp.up_proj'],
  ['language_model.model.layers.*.mlp.down_proj', 'decoder.blocks.*.mlp.down_proj'],
  ['language_model.model.norm', 'decoder.norm'],
  ['language_model.lm_head', 'decoder.head'],
];

function naming(id: string, embedding: string): Naming {
  return tableNaming([...ROWS, ['language_model.model.embed_tokens', embedding]], {
    id,
    marks: (name) => name === 'decoder.token_embedding.weight',
    visionModules: /vision_encoder\..*/,
    autoMapping: null,
  });
}

/**
 * The names of nanoVLM's own classes. Its files come from safetensors' `save_model`, which keeps a matrix that is both head and embedding
 * under the first of its names in the alphabet, the head's.
 */
export const nanovlmNamings = [naming('nanovlm', 'decoder.token_embedding'), naming('nanovlm-tied', 'decoder.head')] as const;
