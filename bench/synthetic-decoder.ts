import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { syntheticFiles } from '../src/engine/models/synthesize.ts';
import { parameterSpecs } from '../src/nvlm/names.ts';
import { parseConfig } from '../src/nvlm/parse-config.ts';

/**
 * A text model of random weights in 16 bits, in a folder of its own for as long as `use` needs it.
 * @param json its config.json
 */
export async function withSyntheticDecoder<T>(json: object, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'nvlm-bench-'));
  try {
    const config = parseConfig(json);
    const fileName = (name: string) => name.replace('language_model.', '');
    const checkpoint = { files: { 'config.json': json }, config, tensors: parameterSpecs(config), dummyHeads: 0, fileName };
    for (const { name, pieces } of syntheticFiles(checkpoint, 1)) {
      const file = await open(join(folder, name), 'w');
      for (const piece of pieces()) await file.writeFile(piece);
      await file.close();
    }
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const SHAPES: Record<string, object> = {
  'qwen-0.5b': { hidden_size: 896, intermediate_size: 4864, num_attention_heads: 14, num_key_value_heads: 2, vocab_size: 151_936 },
  small: { hidden_size: 64, intermediate_size: 192, num_attention_heads: 4, num_key_value_heads: 2, vocab_size: 512 },
};

/** config.json of a text model in a published one's shapes, or in small ones, with so many layers. @throws Error for other shapes */
export function decoderJson(shape: string, layers: number): object {
  if (!SHAPES[shape]) throw new Error(`There is no shape ${shape}: use ${Object.keys(SHAPES).join(' or ')}.`);
  return {
    ...SHAPES[shape],
    architectures: ['Qwen2ForCausalLM'],
    model_type: 'qwen2',
    num_hidden_layers: layers,
    max_position_embeddings: 32_768,
    rope_theta: 1_000_000,
    rms_norm_eps: 1e-6,
    tie_word_embeddings: true,
  };
}
