import { NvlmError } from '../errors.ts';
import { bufferTooLarge, deviceLost, fromGpuError, outOfMemory, shaderFailed } from './device-errors.ts';
import { isSoftwareGpuAdapter } from './ladder.ts';
import type { GpuAdapterDescription } from './types.ts';

/** No program uses others: halves are unpacked by what every device has, and sums go through a workgroup's memory. */
const wantedFeatures: GPUFeatureName[] = ['timestamp-query'];

/** Without asking, a device has 128 MiB bindings and 8 storage buffers a stage. */
const wantedLimits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxComputeWorkgroupsPerDimension',
] as const;

export function describeGpuAdapter(adapter: GPUAdapter): GpuAdapterDescription {
  const { vendor, architecture, device, description } = adapter.info;
  return { vendor, architecture, device, description, software: isSoftwareGpuAdapter(adapter.info) };
}

/** The GPU adapter's own limits and every optional feature that the ops can use. */
export async function requestDevice(adapter: GPUAdapter): Promise<GPUDevice> {
  return adapter.requestDevice({
    requiredFeatures: wantedFeatures.filter((feature) => adapter.features.has(feature)),
    requiredLimits: Object.fromEntries(wantedLimits.map((name) => [name, adapter.limits[name]])),
  });
}

export function limitsOf(device: GPUDevice): Record<string, number> {
  return Object.fromEntries(wantedLimits.map((name) => [name, device.limits[name]]));
}

/**
 * Watches one GPUDevice: what WebGPU reports aside (error events, error scopes, the `lost` promise) becomes the typed error
 * that the next `check` throws. Creating shaders and buffers is wrapped, because tfjs looks at neither's failure.
 */
export class WebGpuWatch {
  readonly lost: Promise<NvlmError>;
  /** A shader or pipeline that could not be made, and so the reason of other failures that may be reported earlier. */
  #badProgram: NvlmError | null = null;
  #failure: NvlmError | null = null;
  #lostError: NvlmError | null = null;
  #closing = false;
  readonly #openScopes = new Set<Promise<void>>();
  readonly #device: GPUDevice;

  constructor(device: GPUDevice) {
    this.#device = device;
    this.lost = new Promise((resolve) => {
      void device.lost.then((info) => {
        if (this.#closing) return;
        this.#lostError = deviceLost(info.message);
        resolve(this.#lostError);
      });
    });
    device.addEventListener('uncapturederror', (event) => {
      event.preventDefault();
      // First one wins: what follows a failure is its consequence.
      this.#failure ??= fromGpuError(event.error);
    });
    this.#wrapShaders();
    this.#wrapBuffers();
  }

  /** From here on the end of the device is wanted. */
  close(): void {
    this.#closing = true;
  }

  /** @throws NvlmError the first failure since the last check; `device-lost` for ever once lost */
  async check(): Promise<void> {
    if (!this.#lostError) {
      // Errors arrive in the order of the calls that caused them, so an empty scope is a fence behind them all.
      this.#device.pushErrorScope('internal');
      const fence = this.#device.popErrorScope().then(noop, noop);
      await Promise.race([Promise.all([fence, ...this.#openScopes]), this.lost]);
    }
    if (this.#lostError) throw this.#lostError;
    const failure = this.#badProgram ?? this.#failure;
    this.#badProgram = null;
    this.#failure = null;
    if (failure) throw failure;
  }

  #wrapShaders(): void {
    const device = this.#device;
    const createShaderModule = device.createShaderModule.bind(device);
    const createComputePipeline = device.createComputePipeline.bind(device);
    device.createShaderModule = (descriptor) => this.#scoped(descriptor.label, () => createShaderModule(descriptor));
    device.createComputePipeline = (descriptor) => this.#scoped(descriptor.label, () => createComputePipeline(descriptor));
  }

  #scoped<T>(label: string | undefined, create: () => T): T {
    const device = this.#device;
    device.pushErrorScope('validation');
    device.pushErrorScope('internal');
    try {
      return create();
    } finally {
      const note = (error: GPUError | null) => {
        if (error) this.#badProgram ??= shaderFailed(`${label ?? 'unnamed program'}: ${error.message}`);
      };
      // A lost device cannot pop its scopes; the loss itself is what gets reported then.
      const inner = device.popErrorScope().then(note, noop);
      const outer = device.popErrorScope().then(note, noop);
      const both: Promise<void> = Promise.all([inner, outer]).then(() => void this.#openScopes.delete(both));
      this.#openScopes.add(both);
    }
  }

  #wrapBuffers(): void {
    const device = this.#device;
    const createBuffer = device.createBuffer.bind(device);
    device.createBuffer = (descriptor) => {
      // tfjs always binds a whole buffer, so a storage buffer past the binding limit could never be used.
      const isStorage = (descriptor.usage & GPUBufferUsage.STORAGE) !== 0;
      const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
      const limit = isStorage ? Math.min(maxBufferSize, maxStorageBufferBindingSize) : maxBufferSize;
      if (descriptor.size > limit) throw bufferTooLarge(descriptor.size, limit);
      try {
        return createBuffer(descriptor);
      } catch (error) {
        // Mapped buffers are allocated on the host at once, and that throws.
        throw error instanceof RangeError ? outOfMemory(error.message) : error;
      }
    };
  }
}

function noop(): void {}
