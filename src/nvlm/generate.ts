import type { Tensor2D } from '@tensorflow/tfjs';
import { releaseUnused } from '../device/tensor-memory.ts';
import type { Device } from '../device/types.ts';
import { throwIfAborted } from '../errors.ts';
import type { KvCache } from './kv-cache.ts';
import type { NvlmModel, Sample } from './model.ts';
import type { DecoderProbe } from './probe.ts';
import type { Sampler } from './sampler.ts';

export interface GenerateOptions {
  sampler: Sampler;
  /** Ids that end an answer; not part of it. */
  stopIds: ReadonlySet<number>;
  maxNewTokens: number;
  /** Reads back and throws what it has reported since (no silent zeros). */
  device: Pick<Device, 'read' | 'settle'>;
  /** Lets other messages in (a stop button) between two tokens. */
  yieldToEventLoop: () => Promise<void>;
  signal?: AbortSignal;
  onPrefilled?: () => void;
  probe?: DecoderProbe;
}

/**
 * Prefill, then one cached step a token. Yields ids as they are picked and returns why it ended. `cache` may already hold a prefix of
 * the sample's sequence; afterwards it holds the prompt and every id but the last.
 *
 * @throws NvlmError `cancelled` when the signal fires, `not-a-number`, and what `read` throws.
 */
export async function* generate(
  model: NvlmModel,
  sample: Sample,
  cache: KvCache,
  options: GenerateOptions,
): AsyncGenerator<number, 'stop' | 'length'> {
  const { sampler, stopIds, maxNewTokens, device, yieldToEventLoop, signal, onPrefilled, probe } = options;
  const sequence = [...sample.plan.inputIds];
  const logits = await readAndDispose(model.prefill([sample], cache, 'last', probe), device);
  // What the prompt took will not be asked for again: the next one is of another length.
  releaseUnused();
  onPrefilled?.();
  throwIfAborted(signal);
  const first = sampler.next(logits, sequence);
  sequence.push(first);
  let rest: AsyncGenerator<number, void> | null = null;
  try {
    for (let id = first, count = 1; ; count++) {
      if (stopIds.has(id)) return 'stop';
      yield id;
      if (count >= maxNewTokens) return 'length';
      await yieldToEventLoop();
      throwIfAborted(signal);
      if (!rest) {
        // A probe looks into ordinary steps.
        const recorded = probe ? null : model.record(cache, sampler, sequence);
        rest = recorded ? recorded.tokens(maxNewTokens - 1, device) : stepByStep(model, cache, sequence, maxNewTokens - 1, options);
      }
      const next = await rest.next();
      if (next.done) return 'length';
      throwIfAborted(signal);
      id = next.value;
    }
  } finally {
    await rest?.return();
  }
}

/** The tokens behind the last of `sequence`, which grows: one cached step each, its logits read back and picked from here. */
async function* stepByStep(
  model: NvlmModel,
  cache: KvCache,
  sequence: number[],
  count: number,
  { sampler, device, probe }: Pick<GenerateOptions, 'sampler' | 'device' | 'probe'>,
): AsyncGenerator<number, void> {
  for (let got = 0; got < count; got++) {
    const id = sampler.next(await readAndDispose(model.step([sequence.at(-1)!], cache, probe), device), sequence);
    sequence.push(id);
    yield id;
  }
}

async function readAndDispose(tensor: Tensor2D, device: Pick<Device, 'read'>): Promise<Float32Array> {
  try {
    return await device.read(tensor);
  } finally {
    tensor.dispose();
  }
}
