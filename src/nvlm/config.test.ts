import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { goldenFolder } from '../../tests/goldens/golden-files.ts';
import { NvlmError } from '../errors.ts';
import { hasCrossAttention, tokensPerTile } from './config.ts';
import { parseConfig } from './parse-config.ts';
import { inverseFrequencies } from './rope.ts';

type Json = Record<string, unknown>;

function golden(name: string): Json {
  return JSON.parse(readFileSync(join(goldenFolder(name), 'config.json'), 'utf8')) as Json;
}

describe('parseConfig', () => {
  it('reads the family', () => {
    const d = parseConfig(golden('nvlm-d'));
    expect(d).toMatchObject({ family: { id: 'nvlm-d' }, tileSize: 56, maxTiles: 6, tagFormat: '1d', imageTokenId: 3 });
    expect(tokensPerTile(d)).toBe(4);
    const h = parseConfig(golden('nvlm-h'));
    expect([0, 1, 2, 3].map((layer) => hasCrossAttention(h, layer))).toEqual([false, true, false, true]);
    expect([0, 1].some((layer) => hasCrossAttention(d, layer))).toBe(false);
  });

  it('reads NVLM-D-72B as it is', () => {
    const config = parseConfig(golden('nvlm-d-72b-layout'));
    expect(config).toMatchObject({ family: { id: 'nvlm-d' }, pixelShuffle: 'v2', projector: { hiddenSize: 128, bias: false } });
    expect(config.vision).toMatchObject({ normType: 'rms_norm', qkNormalization: true, qkvBias: false });
    expect(config.llm.qkvBias).toBe(true);
  });

  it('reads InternVL, and the same from its -hf layout', () => {
    const original = parseConfig(golden('internvl'));
    const hf = parseConfig(golden('internvl-hf'));
    expect(original).toMatchObject({ family: { id: 'internvl' }, tagFormat: 'none' });
    expect(original.layout.block([{ tag: '', col: 0, row: 0, thumbnail: false }], { picture: 0, pictures: 1 })).toEqual([
      { text: '<img>' },
      { tile: 0 },
      { text: '</img>' },
    ]);
    expect(original.projector).toEqual({ hiddenSize: 64, bias: true });
    // Its processor's template stands in a file of the folder, and so do the tiles that it cuts and their colours.
    expect(hf).toEqual({ ...original, imageTokenId: 300, systemMessage: null, chatTemplate: null });
  });

  it('reads how the -hf layout prepares pictures where a file says it', () => {
    const processor = { max_patches: 7, image_mean: [0.5, 0.5, 0.5], image_std: [0.25, 0.5, 0.5] };
    const hf = parseConfig(golden('internvl-hf'), processor);
    expect(hf).toMatchObject({ maxTiles: 7, normalisation: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.5, 0.5] } });
    expect(parseConfig(golden('internvl-hf'), {})).toEqual(parseConfig(golden('internvl-hf')));
    expect(() => parseConfig(golden('internvl-hf'), { max_patches: 'many' })).toThrow(/max_patches is not a number/);
    expect(() => parseConfig(golden('internvl-hf'), { size: { height: 224, width: 224 } })).toThrow(/size/);
  });

  it.each(['nvlm-d', 'internvl', 'internvl-hf', 'smolvlm'])('reads other names for the tiles of a tuned %s', (name) => {
    const { tagFormat } = parseConfig(golden(name));
    for (const tile_tags of ['2d-grid', 'none', 'row-col'] as const) {
      expect(parseConfig({ ...golden(name), tile_tags }).tagFormat).toBe(tile_tags);
    }
    expect(parseConfig({ ...golden(name), tile_tags: null }).tagFormat).toBe(tagFormat);
    expect(() => parseConfig({ ...golden(name), tile_tags: '3d' })).toThrow(/tile_tags is not one of/);
  });

  it('knows which projections have biases', () => {
    const biases = (name: string, changes: Json = {}) => {
      const { qkvBias, outputBias, mlpBias } = parseConfig({ ...golden(name), ...changes }).llm;
      return [qkvBias, outputBias, mlpBias];
    };
    expect(biases('text/llama')).toEqual([false, false, false]);
    expect(biases('text/llama', { attention_bias: true })).toEqual([true, true, false]);
    expect(biases('text/llama', { mlp_bias: true })).toEqual([false, false, true]);
    expect(biases('text/qwen2')).toEqual([true, false, false]);
    expect(biases('text/qwen3', { attention_bias: true })).toEqual([true, true, false]);
  });

  it('reads rotary parameters under their newer name', () => {
    const { rope_theta, rope_scaling, ...rest } = golden('text/llama3-rope');
    const newer = parseConfig({ ...rest, rope_parameters: { ...(rope_scaling as Json), rope_theta } });
    expect(newer).toEqual(parseConfig(golden('text/llama3-rope')));
  });

  it('reads plain text models', () => {
    expect(parseConfig(golden('text/qwen3')).llm.qkNorm).toBe(true);
    expect(parseConfig(golden('text/qwen2')).vision).toBeNull();
    expect(parseConfig(golden('text/llama3-rope')).llm.ropeScaling.type).toBe('llama3');
  });

  it.each([
    ['an unknown architecture', { ...golden('nvlm-d'), architecture: 'NVLM_Z' }, 'unsupported-model', /NVLM_Z/],
    ['another model type', { model_type: 'gpt_neox' }, 'unsupported-model', /gpt_neox/],
    ['a list', [], 'bad-model', /not a JSON object/],
    ['null', null, 'bad-model', /not a JSON object/],
    ['a missing size', { ...golden('nvlm-d'), llm_config: { model_type: 'qwen2' } }, 'bad-model', /hidden_size is missing/],
    ['an absurd size', patch('llm_config', { hidden_size: 1e12 }), 'bad-model', /hidden_size/],
    ['a size that is text', patch('llm_config', { vocab_size: '388' }), 'bad-model', /vocab_size/],
    ['heads that do not divide', patch('vision_config', { num_attention_heads: 7 }), 'bad-model', /num_attention_heads/],
    ['kv heads that do not divide', patch('llm_config', { num_key_value_heads: 3 }), 'bad-model', /num_key_value_heads/],
    ['another activation', patch('llm_config', { hidden_act: 'gelu' }), 'bad-model', /hidden_act/],
    ['another rope', patch('llm_config', { rope_scaling: { rope_type: 'yarn', factor: 4 } }), 'unsupported-model', /yarn/],
    ['a sliding window', patch('llm_config', { use_sliding_window: true }), 'unsupported-model', /use_sliding_window/],
    [
      'another quantisation',
      { ...golden('text/qwen2'), quantization_config: { quant_method: 'gptq', bits: 4 } },
      'unsupported-model',
      /gptq/,
    ],
    ['another mode of MLX', { ...golden('text/qwen2'), quantization: { mode: 'mxfp4', bits: 4 } }, 'unsupported-model', /mxfp4/],
    ['tiles that are not square', hfVision({ image_size: [448, 224] }), 'bad-model', /image_size is not the size of a square/],
    ['an -hf encoder without positions', hfVision({ use_absolute_position_embeddings: false }), 'bad-model', /learned positions/],
    ['another tile size than the encoder', { ...golden('nvlm-d'), force_image_size: 112 }, 'unsupported-model', /force_image_size/],
  ])('refuses %s and says what', (_, json, code, message) => {
    expect(() => parseConfig(json)).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
  });

  it('answers any JSON with a config or a typed error', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom('vision_config', 'llm_config', 'architecture', '__proto__'), (value, key) => {
        try {
          parseConfig({ ...golden('nvlm-d'), [key]: value });
        } catch (error) {
          expect(error).toBeInstanceOf(NvlmError);
        }
      }),
    );
  });
});

describe('inverseFrequencies', () => {
  it('halves the speed of every pair under linear scaling', () => {
    const { llm } = parseConfig(golden('text/qwen2'));
    const plain = inverseFrequencies(llm);
    const scaled = inverseFrequencies({ ...llm, ropeScaling: { type: 'linear', factor: 2 } });
    expect(plain[0]).toBe(1);
    scaled.forEach((frequency, i) => expect(frequency).toBeCloseTo(plain[i]! / 2, 6));
  });
});

function patch(section: string, values: Json): Json {
  const config = golden('nvlm-d');
  return { ...config, [section]: { ...(config[section] as Json), ...values } };
}

function hfVision(values: Json): Json {
  const config = golden('internvl-hf');
  return { ...config, vision_config: { ...(config.vision_config as Json), ...values } };
}
