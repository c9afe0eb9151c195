import type { Tensor } from '@tensorflow/tfjs';
import { watchPeakBytes } from '../../device/peak-bytes.ts';
import { watchTraffic, type Traffic, type TrafficWatch } from '../../device/traffic.ts';
import type { Device } from '../../device/types.ts';
import { throwIfAborted } from '../../errors.ts';
import { generate } from '../../nvlm/generate.ts';
import { Sampler } from '../../nvlm/sampler.ts';
import { median } from '../../numbers/median.ts';
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
  /** Count as well what passes between this thread and the device while decoding, in one run more: counting slows both a little. */
  counts?: boolean;
}

/** Milliseconds, by the clock, that this thread was busy with the steps of an answer, its waiting for the device left out. */
export interface BusyTimes {
  /** The first step behind the prompt: on WebGPU the step is recorded there. */
  first: number;
  /**
   * A step, the median of those between the first and the last: on WebGPU what encoding and submitting takes, elsewhere all of the computing too. The
   * first where there is no other.
   */
  step: number;
  /** The least of them. */
  least: number;
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
  /** One a run. */
  busyMs: BusyTimes[];
  /** A decoded token's share of a run; null where it was not asked for. */
  counts: Traffic | null;
  /** The most that was taken on the device, by weights, cache and activations, over all runs. */
  peakBytes: number;
  /** The memory plan for this very conversation; null where weights stay on disk. */
  plannedBytes: number | null;
}

interface Run {
  visionMs: number;
  prefillMs: number;
  decodeMs: number;
  busyMs: BusyTimes;
  counts: Traffic | null;
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
  const session = await Session.open(folder, device, options).catch((error: unknown) => {
    watch.stop();
    throw error;
  });
  try {
    const { picture } = request;
    const sizes = { tiles: 0, promptTokens: 0 };

    const once = async (traffic?: TrafficWatch): Promise<Run> => {
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
        let since = encoded;
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
            prefilled = since = performance.now();
          },
        });
        const busyMs: number[] = [];
        for await (const _ of tokens) {
          const now = performance.now();
          busyMs.push(now - since - waitedMs);
          since = now;
          waitedMs = 0;
        }
        const decodeMs = performance.now() - prefilled;
        return {
          visionMs: encoded - start,
          prefillMs: prefilled - encoded,
          decodeMs,
          // The prompt's own token is no step.
          busyMs: busyTimes(busyMs.slice(1)),
          counts: before ? perToken(before, traffic!.count(), request.newTokens) : null,
        };
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
    let counts: Traffic | null = null;
    if (request.counts) {
      const traffic = watchTraffic();
      counts = await once(traffic)
        .then((run) => run.counts)
        .finally(() => traffic.stop());
    }
    const contextLength = sizes.promptTokens + request.newTokens;
    return {
      loadMs: offload ? null : session.loadMs,
      tensorBytes: folder.tensorBytes,
      ...sizes,
      visionMs: picture ? runs.map(({ visionMs }) => visionMs) : [],
      prefillMs: runs.map(({ prefillMs }) => prefillMs),
      decodeMs: runs.map(({ decodeMs }) => decodeMs),
      busyMs: runs.map(({ busyMs }) => busyMs),
      counts,
      // The memory of wasm holds more than tensors.
      peakBytes: Math.max(watch.peak, device.memoryBytes()),
      plannedBytes: offload ? null : planMemory(folder, device.info, { contextLength, quantize }).bytes.total,
    };
  } catch (error) {
    throw device.explain(error);
  } finally {
    watch.stop();
    session.dispose();
  }
}

/** @param steps milliseconds of each, at least one */
export function busyTimes(steps: readonly number[]): BusyTimes {
  const first = steps[0]!;
  // The last one submits nothing more: its step was queued behind the one before.
  const later = steps.length > 2 ? steps.slice(1, -1) : steps;
  return { first, step: median(later), least: Math.min(...later) };
}

function perToken(before: Traffic, after: Traffic, tokens: number): Traffic {
  const share = (what: keyof Traffic) => (after[what] - before[what]) / tokens;
  return {
    dispatches: share('dispatches'),
    submits: share('submits'),
    bytesWritten: share('bytesWritten'),
    bytesRead: share('bytesRead'),
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
