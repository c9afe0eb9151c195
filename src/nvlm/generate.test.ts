import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import { openBackend } from '../../tests/support/backends.ts';
import { generate } from './generate.ts';
import type { KvCache } from './kv-cache.ts';
import type { NvlmModel, Sample } from './model.ts';
import { Sampler } from './sampler.ts';

beforeAll(() => openBackend('cpu'));

const sample: Sample = {
  plan: { inputIds: Int32Array.of(3), crossMask: new Uint8Array(0), crossTiles: [], crossTagIds: [], sequenceTiles: [] },
  features: null,
};

/** A model that always finds the same, and what it was given. */
function always(logits: number[]) {
  const steps: number[] = [];
  const answer = () => tf.tensor2d([logits]);
  const step = ([id]: number[]) => (steps.push(id!), answer());
  const model = { prefill: answer, step, record: () => null } as unknown as NvlmModel;
  return { model, steps };
}

async function ids(model: NvlmModel, sampler: Sampler, stopIds: number[], maxNewTokens: number) {
  const got: number[] = [];
  const device = { read: async (tensor: tf.Tensor) => Float32Array.from(await tensor.data()), settle: <T>(work: Promise<T>) => work };
  const options = { sampler, stopIds: new Set(stopIds), maxNewTokens, device, yieldToEventLoop: () => Promise.resolve() };
  const tokens = generate(model, sample, {} as KvCache, options);
  for (;;) {
    const next = await tokens.next();
    if (next.done) return { got, reason: next.value };
    got.push(next.value);
  }
}

it('penalises what was generated, as well as what was asked', async () => {
  const { model, steps } = always([5, 4, 3, 6]);
  const { got } = await ids(model, new Sampler({ temperature: 0, repetitionPenalty: 4 }, []), [], 3);
  // 3 stands in the prompt; each pick is penalised from then on.
  expect(got).toEqual([0, 1, 2]);
  expect(steps).toEqual([0, 1]);
});

it('stops at a stop id, which is not part of the answer, or at the length', async () => {
  const greedy = () => new Sampler({ temperature: 0 }, []);
  expect(await ids(always([1, 2]).model, greedy(), [1], 3)).toEqual({ got: [], reason: 'stop' });
  expect(await ids(always([1, 2]).model, greedy(), [0], 2)).toEqual({ got: [1, 1], reason: 'length' });
});
