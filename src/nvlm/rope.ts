import type { LlmConfig } from './config.ts';

/**
 * Inverse frequencies of the rotary embedding, [headDim / 2] f32, radians a position. Llama 3's scaling stretches the slow ones
 * and blends in between, as Hugging Face's `_compute_llama3_parameters`.
 */
export function inverseFrequencies(config: LlmConfig): Float32Array {
  const { headDim, ropeTheta, ropeScaling: scaling } = config;
  const out = new Float32Array(headDim / 2);
  for (let i = 0; i < out.length; i++) {
    const frequency = 1 / ropeTheta ** ((2 * i) / headDim);
    out[i] = scaling.type === 'linear' ? frequency / scaling.factor : frequency;
    if (scaling.type !== 'llama3') continue;
    const wavelength = (2 * Math.PI) / frequency;
    const longest = scaling.originalMaxPositions / scaling.lowFreqFactor;
    const shortest = scaling.originalMaxPositions / scaling.highFreqFactor;
    if (wavelength > longest) {
      out[i] = frequency / scaling.factor;
    } else if (wavelength > shortest) {
      const smooth = (scaling.originalMaxPositions / wavelength - scaling.lowFreqFactor) / (scaling.highFreqFactor - scaling.lowFreqFactor);
      out[i] = (1 - smooth) * (frequency / scaling.factor) + smooth * frequency;
    }
  }
  return out;
}
