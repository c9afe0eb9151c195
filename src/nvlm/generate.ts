import type { Tensor2D } from '@tensorflow/tfjs';
import { releaseUnused } from '../device/tensor-memory.ts';
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
  /** Reads a tensor back and throws what the device has reported since (no silent zeros). */
  read: (tensor: Tensor2D) => Promise<Float32Array>;
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
  const { sampler, stopIds, maxNewTokens, read, yieldToEventLoop, signal, onPrefilled, probe } = options;
  const sequence = [...sample.plan.inputIds];
  let logits = model.prefill([sample], cache, 'last', probe);
  for (let count = 0; ; count++) {
    const values = await readAndDispose(logits, read);
    if (count === 0) {
      // What the prompt took will not be asked for again: the next one is of another length.
      releaseUnused();
      onPrefilled?.();
    }
    throwIfAborted(signal);
    const id = sampler.next(values, sequence);
    if (stopIds.has(id)) return 'stop';
    sequence.push(id);
    yield id;
    if (count + 1 >= maxNewTokens) return 'length';
    await yieldToEventLoop();
    throwIfAborted(signal);
    logits = model.step([id], cache, probe);
  }
}

async function readAndDispose(tensor: Tensor2D, read: GenerateOptions['read']): Promise<Float32Array> {
  try {
    return await read(tensor);
  } finally {
    tensor.dispose();
  }
}
