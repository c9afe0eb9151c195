import type { Device } from '../../device/types.ts';
import { throwIfAborted } from '../../errors.ts';
import { opCases } from '../../ops/cases.ts';
import { runOpCases, type OpCaseResult } from '../../ops/verify.ts';
import type { CallOptions, VerifyProgress } from '../api.ts';
import { yieldToEventLoop } from '../yield.ts';

/**
 * Every op's program on the open device against its reference on the cpu.
 *
 * @throws NvlmError `cancelled`; `shader-failed`, `device-lost`, `out-of-memory` when the device itself fails
 */
export async function verifyOps(
  device: Device,
  { signal, onProgress }: CallOptions & { onProgress?: (progress: VerifyProgress) => void } = {},
): Promise<OpCaseResult[]> {
  const ops = [...new Set(opCases.map(({ op }) => op))];
  const results: OpCaseResult[] = [];
  for (const [i, op] of ops.entries()) {
    throwIfAborted(signal);
    try {
      results.push(...(await runOpCases([op])));
    } catch (error) {
      throw device.explain(error);
    }
    await device.check();
    onProgress?.({ done: i + 1, total: ops.length });
    await yieldToEventLoop();
  }
  return results;
}
