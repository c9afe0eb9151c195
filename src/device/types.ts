import type { Tensor } from '@tensorflow/tfjs';
import type { NvlmError } from '../errors.ts';
import type { PoolThread, ThreadStart } from './wasm-pool.ts';

export type BackendName = 'webgpu' | 'wasm' | 'cpu';
export type BackendChoice = 'auto' | BackendName;

export interface GpuAdapterDescription {
  vendor: string;
  architecture: string;
  device: string;
  description: string;
  /** Rendered on the CPU (SwiftShader, lavapipe): never chosen unless asked for by name. */
  software: boolean;
}

export interface DeviceInfo {
  backend: BackendName;
  /** The GPU adapter; null off WebGPU */
  adapter: GpuAdapterDescription | null;
  features: string[];
  limits: Record<string, number>;
  /** How many threads products, attention and the rest of the project's kernels may use; each on as many as a measurement finds faster. */
  threads: number;
  /** Why there are so many, and what to do for more where there are fewer than cores: one or two sentences; empty off wasm. */
  threadsReason: string;
  /** Why this rung of the ladder: one plain sentence. */
  reason: string;
}

/** What differs between a browser and Node: where WebGPU comes from and where the wasm binary lies. */
export interface DevicePlatform {
  /**
   * The WebGPU entry, or one sentence on why there is none.
   *
   * @param wanted.hardwareOnly software GPU adapters are of no use: where one can know without asking that there is no other, say so
   */
  gpu(wanted: { hardwareOnly: boolean }): Promise<GPU | { absent: string }>;
  /** Called before the wasm backend starts. */
  prepareWasm(): Promise<void>;
  /** tfjs's wasm module, for a machine with SIMD or without. */
  wasmBinary(kind: 'simd' | 'plain'): Promise<Uint8Array>;
  /** Threads for the wasm backend, or why there is one alone and what to do about it. */
  threads(): WasmThreads | { absent: string };
}

export interface WasmThreads {
  /** How many there are to be at most, the caller's among them: as many as cores. */
  most: number;
  /** They were asked for: all are used always, and nothing is measured. */
  fixed: boolean;
  start(start: ThreadStart): PoolThread;
}

/**
 * The open compute device: a tfjs backend that is current until `dispose`, with every failure typed.
 *
 * Results must come back through `read` or `readIntegers`. tfjs answers a failed shader or a failed allocation with zeros;
 * these two throw instead.
 */
export interface Device {
  readonly info: DeviceInfo;
  /** Settles with the `device-lost` error when the device is lost; never settles otherwise. */
  readonly lost: Promise<NvlmError>;
  /**
   * Waits until every error of the work given so far has arrived.
   * @throws NvlmError `device-lost`, `out-of-memory` or `shader-failed`: the first one since the last check
   */
  check(): Promise<void>;
  /**
   * Waits for something that the device must finish first, such as a mapped buffer.
   * @throws NvlmError as `check` does, and when the device is lost meanwhile
   */
  settle<T>(work: Promise<T>): Promise<T>;
  /** Values of a float32 tensor; throws as `check` does. */
  read(tensor: Tensor): Promise<Float32Array>;
  /** Values of an int32 tensor; throws as `check` does. */
  readIntegers(tensor: Tensor): Promise<Int32Array>;
  /** The typed error behind something that tfjs, wasm or WebGPU threw; anything else comes back as it is. */
  explain(error: unknown): unknown;
  /** What tensors and buffers take now; of wasm, how far its memory has grown, for it never shrinks. */
  memoryBytes(): number;
  /** Frees the backend with all its tensors. Tensors left over may still be disposed afterwards. */
  dispose(): Promise<void>;
}
