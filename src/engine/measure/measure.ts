import type { Tensor } from '@tensorflow/tfjs';
import { watchPeakBytes } from '../../device/peak-bytes.ts';
import { watchTraffic, type Traffic } from '../../device/traffic.ts';
import type { Device } from '../../device/types.ts';
import { throwIfAborted } from '../../errors.ts';
import { generate } from '../../nvlm/generate.ts';
import { Sampler } from '../../nvlm/sampler.ts';
import { assertFits } from '../../text/prompt-limits.ts';
import type { RgbImage } from '../../tiling/types.ts';
import type { ModelFolder } from '../../weights/model-folder.ts';
import type { StreamProgress } from '../../weights/stream.ts';
import type { StrongAdapter } from '../adapters/adapter.ts';
import type { CallOptions, Quantization } from '../api.ts';
import { planMemory } from '../models/memory-plan.ts';
import { Session } from '../chat/session.ts';
import { planConversation } from '../chat/text-side.ts';
import { yieldToEventLoop } from '../yield.ts';

export interface MeasureRequest {
  picture: RgbImage | null;
  prompt: string;
  /** Decoded in every run, whatever the model would end with. */
  newTokens: number;
  maxTiles?: number;
  runs: number;
  /** Runs before those that count: the first one compiles. */
  warmUps: number;
  /** Count as well what passes between this thread and the device while decoding; it slows both a little. */
  counts?: boolean;
}

/** What one decoded token costs, on average over a run's. */
export interface StepCounts extends Traffic {
  /**
   * Milliseconds that this thread is busy, the waiting for the device left out: on WebGPU what preparing the GPU's work and picking
   * tokens takes, elsewhere all of the computing too.
   */
  busyMs: number;
}

/** What a model takes on a device: times in milliseconds, one a run; memory in bytes. */
export interface ModelMeasurement {
  /** From the headers to weights that are ready on the device; null where they stay on disk. */
  loadMs: number | null;
  /** Of the weights, in their files. */
  tensorBytes: number;
  /** Thumbnail included; 0 without a picture. */
  tiles: number;
  promptTokens: number;
  /** Tiling, vision encoder and connector; empty without a picture. */
  visionMs: number[];
  prefillMs: number[];
  decodeMs: number[];
  /** One a run, where they were asked for. */
  counts: StepCounts[];
  /** The most that was taken on the device, by weights, cache and activations, over all runs. */
  peakBytes: number;
  /** The memory plan for this very conversation; null where weights stay on disk. */
  plannedBytes: number | null;
}

interface Run {
  visionMs: number;
  prefillMs: number;
  decodeMs: number;
  counts: StepCounts | null;
}

/**
 * Loads a model and lets it answer one question, about a picture or none, over and over; nothing is kept from run to run.
 *
 * @throws NvlmError what loading and answering throw; `not-found` without a tokenizer, `prompt-too-long`, `cancelled`
 */
export async function measureModel(
  folder: ModelFolder,
  device: Device,
  request: MeasureRequest,
  options: CallOptions & {
    quantize?: Quantization;
    offload?: { budgetBytes: number };
    adapters?: readonly StrongAdapter[];
    onProgress?: (progress: StreamProgress) => void;
    onRun?: (done: number, total: number) => void;
  } = {},
): Promise<ModelMeasurement> {
  const { signal, quantize, offload } = options;
  const watch = watchPeakBytes();
  const traffic = request.counts ? watchTraffic() : null;
  const session = await Session.open(folder, device, options).catch((error: unknown) => {
    watch.stop();
    traffic?.stop();
    throw error;
  });
  try {
    const { picture } = request;
    const sizes = { tiles: 0, promptTokens: 0 };

    const once = async (): Promise<Run> => {
      const start = performance.now();
      const seen = picture && (await session.encode(picture, request.maxTiles, { signal }));
      if (seen) await settle(device, seen.features);
      const encoded = performance.now();
      const cache = session.model.newCache(1);
      try {
        const plan = planConversation(session.requireText(), [{ role: 'user', content: request.prompt }], seen ? [seen.tiling] : [], true);
        assertFits(plan, session.contextLength, request.newTokens);
        sizes.tiles = seen?.tiling.tiles.length ?? 0;
        sizes.promptTokens = plan.inputIds.length;
        let prefilled = encoded;
        let before: Traffic | undefined;
        let waitedMs = 0;
        const waiting = async <T>(work: Promise<T>): Promise<T> => {
          const start = performance.now();
          return work.finally(() => (waitedMs += performance.now() - start));
        };
        const tokens = generate(session.model, { plan, features: seen?.features ?? null }, cache, {
          sampler: new Sampler({ temperature: 0 }, []),
          stopIds: new Set(),
          // The first of them is the prefill's.
          maxNewTokens: request.newTokens + 1,
          device: { ...device, read: (tensor) => waiting(device.read(tensor)), settle: (work) => waiting(device.settle(work)) },
          yieldToEventLoop: () => waiting(yieldToEventLoop()),
          signal,
          onPrefilled: () => {
            before = traffic?.count();
            waitedMs = 0;
            prefilled = performance.now();
          },
        });
        for await (const _ of tokens) continue;
        const decodeMs = performance.now() - prefilled;
        const stepCounts = before ? perToken(before, traffic!.count(), decodeMs - waitedMs, request.newTokens) : null;
        return { visionMs: encoded - start, prefillMs: prefilled - encoded, decodeMs, counts: stepCounts };
      } finally {
        cache.dispose();
        seen?.features.dispose();
      }
    };

    const { warmUps, runs: count } = request;
    const runs: Run[] = [];
    for (let run = 0; run < warmUps + count; run++) {
      throwIfAborted(signal);
      const times = await once();
      if (run >= warmUps) runs.push(times);
      options.onRun?.(run + 1, warmUps + count);
    }
    const contextLength = sizes.promptTokens + request.newTokens;
    return {
      loadMs: offload ? null : session.loadMs,
      tensorBytes: folder.tensorBytes,
      ...sizes,
      visionMs: picture ? runs.map(({ visionMs }) => visionMs) : [],
      prefillMs: runs.map(({ prefillMs }) => prefillMs),
      decodeMs: runs.map(({ decodeMs }) => decodeMs),
      counts: runs.flatMap(({ counts }) => counts ?? []),
      // The memory of wasm holds more than tensors.
      peakBytes: Math.max(watch.peak, device.memoryBytes()),
      plannedBytes: offload ? null : planMemory(folder, device.info, { contextLength, quantize }).bytes.total,
    };
  } catch (error) {
    throw device.explain(error);
  } finally {
    watch.stop();
    traffic?.stop();
    session.dispose();
  }
}

function perToken(before: Traffic, after: Traffic, busyMs: number, tokens: number): StepCounts {
  const share = (what: keyof Traffic) => (after[what] - before[what]) / tokens;
  return {
    dispatches: share('dispatches'),
    submits: share('submits'),
    bytesWritten: share('bytesWritten'),
    bytesRead: share('bytesRead'),
    busyMs: busyMs / tokens,
  };
}

/** Waits until a tensor has been computed, by reading one value of it. */
async function settle(device: Device, tensor: Tensor): Promise<void> {
  const one = tensor.slice(
    tensor.shape.map(() => 0),
    tensor.shape.map(() => 1),
  );
  try {
    await device.read(one);
  } finally {
    one.dispose();
  }
}
