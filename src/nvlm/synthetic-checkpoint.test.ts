import { describe, expect, it } from 'vitest';
import { openTextSide } from '../engine/chat/text-side.ts';
import { nodeFiles } from '../weights/node-files.ts';
import { planWeights } from './checkpoint-layout.ts';
import { hasCrossAttention, tokensPerTile } from './config.ts';
import { SYNTHETIC_MODELS, syntheticCheckpoint, syntheticRows } from './synthetic-checkpoint.ts';

function parameters(like: string): number {
  const sizes = syntheticCheckpoint(like).tensors.map(({ shape }) => shape.reduce((product, extent) => product * extent, 1));
  return sizes.reduce((sum, size) => sum + size, 0);
}

describe('syntheticCheckpoint', () => {
  it('has the published number of parameters', () => {
    expect(parameters('nvlm-d-72b')).toBe(79_379_593_344);
    expect(parameters('internvl2_5-1b')).toBe(938_193_024);
    expect(parameters('internvl3_5-1b')).toBe(1_060_897_792);
    // As the hub counts the published weights.
    expect(parameters('smolvlm-256m')).toBe(256_484_928);
    expect(parameters('smolvlm-500m')).toBe(507_482_304);
    // As PyTorch counts the networks of tests/references/nanovlm.py in these shapes.
    expect(parameters('nanovlm-222m')).toBe(222_081_600);
    expect(parameters('nanovlm-450m')).toBe(450_614_400);
    expect(parameters('nanovlm-230m-8k')).toBe(228_063_936);
    expect(parameters('nanovlm-460m-8k')).toBe(460_113_984);
    expect(parameters('internvl2-1b') / 1e6).toBeCloseTo(938.16, 2);
  });

  it.each(SYNTHETIC_MODELS)('%s is a checkpoint that the loader accepts, with its control tokens', (like) => {
    const { files, tensors, config, fileName } = syntheticCheckpoint(like, 2);
    const isQwen = !/^(smolvlm|nanovlm)/.test(config.family.id);
    expect(config.llm.layers).toBe(2);
    expect(like.startsWith(config.family.id.replace('-whole', ''))).toBe(true);
    expect(hasCrossAttention(config, 1)).toBe(/^nvlm-[xh]/.test(like));
    expect(tokensPerTile(config)).toBe(isQwen ? 256 : like === 'nanovlm-222m' ? 49 : 64);
    const entries = tensors.map(({ name, shape }) => ({
      name: fileName(name),
      shape,
      dtype: 'BF16' as const,
      file: 'x',
      start: 0,
      end: 0,
    }));
    expect(planWeights({ tensors: new Map(entries.map((entry) => [entry.name, entry])) }, config).dummyHeads).toBe(
      like === 'nvlm-d-72b' ? 7 : 0,
    );
    const text = openTextSide({
      files: nodeFiles('.'),
      config: files['config.json'] as never,
      generationConfig: null,
      imageProcessor: null,
      tokenizer: files['tokenizer.json'] as never,
      tokenizerConfig: files['tokenizer_config.json'] as never,
    });
    expect(text.imageTokenId).toBe(
      {
        'internvl3_5-1b': 151671,
        'internvl2_5-1b': 151667,
        'internvl2-1b': 151648,
        'smolvlm-256m': 49190,
        'smolvlm-500m': 49190,
        'nanovlm-222m': 49152,
        'nanovlm-450m': 49152,
        'nanovlm-230m-8k': 49152,
        'nanovlm-460m-8k': 49152,
      }[like] ?? 151654,
    );
    const sample = 'Füße <tile_1> 漢字';
    const ids = text.tokenizer.encode(sample);
    expect(text.tokenizer.decode(ids)).toBe(sample);
    if (isQwen) expect(text.tokenizer.encode('<tile_1>').length).toBe(5);
    expect(ids.every((id) => id < config.llm.vocabSize)).toBe(true);
    for (const { id } of text.tokenizer.addedTokens) expect(id).toBeLessThan(config.llm.vocabSize);
  });
});

describe('syntheticRows', () => {
  const checkpoint = syntheticCheckpoint('nvlm-d-72b', 1);
  const rows = (name: string, seed = 1) => {
    const spec = checkpoint.tensors.find((tensor) => tensor.name.endsWith(name))!;
    return syntheticRows(checkpoint, spec, seed);
  };

  it('makes the same in any pieces, and something else for another seed or tensor', () => {
    const whole = rows('mlp.gate_proj.weight')(10, 3);
    expect(Buffer.concat([0, 1, 2].map((row) => Buffer.from(rows('mlp.gate_proj.weight')(10 + row, 1).buffer)))).toEqual(
      Buffer.from(whole.buffer),
    );
    const differing = (other: Uint16Array) => other.filter((word, i) => word !== whole[i]).length / whole.length;
    expect(differing(rows('mlp.gate_proj.weight', 2)(10, 3))).toBeGreaterThan(0.99);
    expect(differing(rows('mlp.up_proj.weight')(10, 3))).toBeGreaterThan(0.99);
    expect(new Set(whole).size).toBeGreaterThan(1000);
  });

  it('leaves the dummy heads zero', () => {
    const qkv = rows('layers.0.attn.qkv.weight');
    const isZero = (row: number) => qkv(row, 1).every((word) => word === 0);
    expect([0, 3199, 3200, 4095, 4096, 7296, 12287].map(isZero)).toEqual([false, false, true, true, false, true, true]);
    const projection = rows('layers.0.attn.proj.weight')(5, 1);
    expect([projection[3199] === 0, projection[3200], projection[4095]]).toEqual([false, 0, 0]);
    expect([...rows('layers.0.attn.q_norm.weight')(3199, 2)]).toEqual([0x3f80, 0]);
  });
});
