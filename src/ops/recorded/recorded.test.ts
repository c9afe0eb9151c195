import * as tf from '@tensorflow/tfjs';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { describe, expect, test } from 'vitest';
import { submitPending } from '../../device/tensor-memory.ts';
import { Sampler, type Sampling } from '../../nvlm/sampler.ts';
import { forEachBackend, testOpCases } from '../../../tests/support/op-cases.ts';
import { seededNumbers } from '../../numbers/random.ts';
import { bufferOf, CommandList, makeBuffer } from './command-list.ts';
import { chunksOf, markWords, NOT_A_NUMBER, pickCommands } from './pick.ts';

for (const op of ['recordedProduct', 'recordedSwiglu', 'recordedAttention', 'recordedEmbed']) describe(op, () => testOpCases(op));

/** More than a chunk of the first pass, and no multiple of anything. */
const VOCAB = 2500;

forEachBackend(() => {
  const logitsOf = (seed: number) => {
    const next = seededNumbers(seed);
    // Whole steps, so that some are equal: ties go to the lower id.
    return Float32Array.from({ length: VOCAB }, () => Math.round((next() - 0.5) * 80) / 8);
  };

  /** One pick on the device. */
  async function pick(logits: Float32Array, sampler: Sampler, seen: number[]): Promise<{ id: number; marks: Uint32Array }> {
    const { device } = tf.backend() as WebGPUBackend;
    const tensors = {
      logits: tf.tensor1d(logits),
      weights: tf.zeros([VOCAB]),
      marks: tf.tensor1d(marksOf(seen, sampler.banned), 'int32'),
      picked: tf.tensor1d([-5], 'int32'),
    };
    const buffers = {
      logits: bufferOf(tensors.logits),
      weights: bufferOf(tensors.weights),
      marks: bufferOf(tensors.marks),
      picked: bufferOf(tensors.picked),
      best: makeBuffer(device, 'best', 2 * chunksOf(VOCAB)),
    };
    submitPending(tf.backend() as WebGPUBackend);
    const list = new CommandList(device);
    for (const command of pickCommands(VOCAB, buffers)) list.add(command);
    list.writeStep({ position: 0, ...sampler.stepValues() });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    list.replay(pass);
    pass.end();
    const staging = device.createBuffer({ size: 4 + 8 * markWords(VOCAB), usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    encoder.copyBufferToBuffer(buffers.picked, 0, staging, 0, 4);
    encoder.copyBufferToBuffer(buffers.marks, 0, staging, 4, 8 * markWords(VOCAB));
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const [id, ...marks] = new Uint32Array(staging.getMappedRange().slice(0));
    for (const buffer of [staging, buffers.best]) buffer.destroy();
    list.dispose();
    tf.dispose(tensors);
    return { id: id!, marks: Uint32Array.from(marks) };
  }

  const marksOf = (seen: readonly number[], banned: readonly number[]) => {
    const marks = new Int32Array(2 * markWords(VOCAB));
    for (const id of seen) marks[id >> 5]! |= 1 << (id & 31);
    for (const id of banned) marks[markWords(VOCAB) + (id >> 5)]! |= 1 << (id & 31);
    return marks;
  };

  const settings: Sampling[] = [
    { temperature: 0 },
    { temperature: 0, repetitionPenalty: 1.7 },
    { temperature: 0.7 },
    { temperature: 1.5, topK: 40 },
    { temperature: 1, topK: 1 },
    { temperature: 1, topP: 0.9 },
    { temperature: 2, topP: 0.3, repetitionPenalty: 1.3 },
    { temperature: 0.9, topK: 12, topP: 0.8 },
    { temperature: 1, topK: VOCAB + 5, topP: 0.999 },
  ];
  test.each(settings.map((sampling) => [JSON.stringify(sampling), sampling] as const))(
    'picks what the host picks: %s',
    async (_, sampling) => {
      const banned = [17, 2499];
      const seen = [3, 64, 700, 2048];
      const picks: [number, number][] = [];
      for (let seed = 1; seed <= 12; seed++) {
        const logits = logitsOf(seed);
        logits[17] = 50;
        const { id, marks } = await pick(logits.slice(), new Sampler({ ...sampling, seed }, banned), seen);
        expect([...marks]).toEqual([...new Uint32Array(marksOf([...seen, id], banned))]);
        picks.push([id, new Sampler({ ...sampling, seed }, banned).next(logits, seen)]);
      }
      expect(picks.map(([device]) => device)).toEqual(picks.map(([, host]) => host));
      if (sampling.temperature > 0 && sampling.topK !== 1) expect(new Set(picks.map(([id]) => id)).size).toBeGreaterThan(4);
    },
  );

  // By plain arithmetic, with a penalty of 2: a positive logit is divided, a negative one multiplied.
  test.each([
    ['negative', -2, -3, -5],
    ['positive', 5, 3, 2],
  ])('makes a seen token with a %s logit less likely', async (_, seen, more, less) => {
    const idWith = async (other: number) => {
      const logits = new Float32Array(VOCAB).fill(-9);
      logits[100] = seen;
      logits[2300] = other;
      return (await pick(logits, new Sampler({ temperature: 0, repetitionPenalty: 2 }, []), [100])).id;
    };
    expect([await idWith(more), await idWith(less)]).toEqual([2300, 100]);
  });

  test('says that a logit is no number, in any chunk', async () => {
    for (const place of [0, 2048, 2499]) {
      const logits = logitsOf(1);
      logits[place] = NaN;
      expect((await pick(logits, new Sampler({ temperature: 1, seed: 1 }, []), [])).id).toBe(NOT_A_NUMBER);
    }
  });
}, ['webgpu']);
