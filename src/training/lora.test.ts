import { describe, expect, it } from 'vitest';
import type { Weights } from '../nvlm/weights.ts';
import { freshAdapter } from './lora.ts';

const Q = 'language_model.model.layers.0.self_attn.q_proj';
const UP = 'language_model.model.layers.0.mlp.up_proj';
const VISION = 'vision_model.encoder.layers.0.attn.q_proj';
const sizes = { inFeatures: 25, outFeatures: 6 };

/** As much of them as a fresh adapter asks for. */
const weights = {
  linears: new Map([Q, UP, VISION].map((module) => [`${module}.weight`, sizes])),
  linear: () => sizes,
} as unknown as Weights;

describe('a fresh adapter', () => {
  const lora = { rank: 4, alpha: 10, dropout: 0, targets: ['q_proj'], init: null };

  it('scales by alpha over rank, and changes nothing yet', () => {
    const [adapter, ...others] = freshAdapter(weights, lora, 1);
    expect(others).toEqual([]);
    expect(adapter).toMatchObject({ module: Q, rank: 4, scale: 2.5 });
    expect(adapter!.b).toEqual(new Float32Array(6 * 4));
  });

  it('draws A as PyTorch does a linear, in ±1/√in, and another for each module and seed', () => {
    const draw = (seed: number) => freshAdapter(weights, { ...lora, targets: ['q_proj', 'up_proj'] }, seed).map(({ a }) => a);
    const [q, up] = draw(1);
    expect(q).toHaveLength(4 * 25);
    const largest = Math.max(...q!.map(Math.abs));
    expect(largest).toBeLessThanOrEqual(Math.fround(0.2));
    expect(largest).toBeGreaterThan(0.19);
    expect(up).not.toEqual(q);
    expect(draw(2)[0]).not.toEqual(q);
    expect(draw(1)).toEqual([q, up]);
  });

  it('refuses a target that fits nothing, and the vision encoder’s alone', () => {
    expect(() => freshAdapter(weights, { ...lora, targets: ['k_proj'] }, 1)).toThrow('"k_proj" fits no linear');
    expect(() => freshAdapter(weights, { ...lora, targets: ['attn.q_proj'] }, 1)).toThrow('fits no linear');
  });
});
