import { expect, it } from 'vitest';
import type { MemoryPlan } from '../api.ts';
import { fitTogether } from './fit-together.ts';

const plan = (backend: MemoryPlan['backend'], gigabytes: number, verdict: MemoryPlan['verdict'] = 'fits') => {
  const [weights, kvCache, activations] = [gigabytes * 1e9, 0.1e9, 0.2e9];
  return { backend, verdict, bytes: { weights, kvCache, activations, total: weights + kvCache + activations } };
};

it('counts weights and caches of all and the activations of the one that answers, against what the backend allows', () => {
  expect(fitTogether([plan('wasm', 1), plan('wasm', 1.5)])).toMatchObject({ bytes: 2.9e9, mostAlone: 1.8e9, fits: true });
  expect(fitTogether([plan('wasm', 1), plan('wasm', 1), plan('wasm', 1)])).toMatchObject({ bytes: 3.5e9, fits: false });
  expect(fitTogether([plan('webgpu', 0.3), plan('webgpu', 0.3)]).fits).toBe(true);
  expect(fitTogether([plan('webgpu', 0.5), plan('webgpu', 0.5)]).fits).toBe(false);
  // What does not fit by itself does not fit beside others.
  expect(fitTogether([plan('wasm', 0.1, 'fits-if'), plan('wasm', 0.1)]).fits).toBe(false);
});
