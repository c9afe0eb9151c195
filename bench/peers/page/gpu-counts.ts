/** What one scope, a page or a worker, has asked of WebGPU. */
export interface GpuCounts {
  dispatches: number;
  submits: number;
  /** Of `queue.writeBuffer`. */
  writtenBytes: number;
  /** Of buffers that were mapped to be read. */
  readBytes: number;
}

/** Counts all calls of this scope from now on. */
export function countGpuCalls(): GpuCounts {
  const counts: GpuCounts = { dispatches: 0, submits: 0, writtenBytes: 0, readBytes: 0 };
  before(GPUComputePassEncoder.prototype, 'dispatchWorkgroups', () => counts.dispatches++);
  before(GPUComputePassEncoder.prototype, 'dispatchWorkgroupsIndirect', () => counts.dispatches++);
  before(GPUQueue.prototype, 'submit', () => counts.submits++);
  before(GPUQueue.prototype, 'writeBuffer', (_queue, [, , data, from = 0, size]) => {
    // Of a typed array in its elements, of other memory in bytes.
    const unit = (data as Partial<Uint8Array>).BYTES_PER_ELEMENT ?? 1;
    counts.writtenBytes += size === undefined ? data.byteLength - from * unit : size * unit;
  });
  before(GPUBuffer.prototype, 'mapAsync', (buffer, [mode, , size]) => {
    if (mode === GPUMapMode.READ) counts.readBytes += size ?? buffer.size;
  });
  return counts;
}

/** What was counted between two moments. */
export function since(before: GpuCounts, now: GpuCounts): GpuCounts {
  return Object.fromEntries(
    Object.entries(now).map(([name, count]) => [name, count - before[name as keyof GpuCounts]]),
  ) as unknown as GpuCounts;
}

function before<T, K extends keyof T>(
  prototype: T,
  name: K,
  note: (self: T, args: T[K] extends (...args: infer A) => unknown ? A : never) => void,
): void {
  const original = prototype[name] as (...args: unknown[]) => unknown;
  prototype[name] = function (this: T, ...args: unknown[]) {
    note(this, args as never);
    return original.apply(this, args);
  } as T[K];
}
