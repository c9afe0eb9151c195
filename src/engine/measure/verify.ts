import type { Device } from '../../device/types.ts';
import type { Folder } from '../../files/folder.ts';
import { NvlmError, throwIfAborted } from '../../errors.ts';
import { opCases } from '../../ops/cases.ts';
import { variantName } from '../../ops/few-rows-lines.ts';
import type { OpCase } from '../../ops/op-case.ts';
import { casesHere, runOpCase, type OpCaseResult } from '../../ops/verify.ts';
import type { CallOptions, VerifyProgress } from '../api.ts';
import { yieldToEventLoop } from '../yield.ts';
import { noteVerified } from './device-variants.ts';

type VerifyOptions = CallOptions & { onProgress?: (progress: VerifyProgress) => void };

/** {@link verifyOps}, after which variants of programs that are wrong on this device are never chosen. */
export async function verifyAndNote(device: Device, kept: Folder, options: VerifyOptions = {}): Promise<OpCaseResult[]> {
  const results = await verifyOps(device, options);
  await noteVerified(device, wrongVariants(results), kept);
  return results;
}

/**
 * Every op's program, in every variant, on the open device against its reference on the cpu.
 *
 * @throws NvlmError `cancelled`; `shader-failed`, `device-lost`, `out-of-memory` when the device itself fails
 */
export async function verifyOps(device: Device, { signal, onProgress }: VerifyOptions = {}): Promise<OpCaseResult[]> {
  const ops = [...new Set(opCases.map(({ op }) => op))];
  const results: OpCaseResult[] = [];
  for (const [i, op] of ops.entries()) {
    throwIfAborted(signal);
    try {
      for (const opCase of casesHere([op])) results.push(await checkCase(opCase, device));
    } catch (error) {
      throw device.explain(error);
    }
    onProgress?.({ done: i + 1, total: ops.length });
    await yieldToEventLoop();
  }
  return results;
}

/**
 * One case. A variant that the device does not take is wrong, and no reason to end the check.
 *
 * @throws NvlmError `shader-failed` where the device does not take the default, and as `Device.check`
 */
export async function checkCase(opCase: OpCase, device: Device): Promise<OpCaseResult> {
  try {
    const result = await runOpCase(opCase);
    await device.check();
    return result;
  } catch (error) {
    const known = device.explain(error);
    if (!opCase.variant || !(known instanceof NvlmError && known.code === 'shader-failed')) throw error;
    const { op, case: name, variant, bound } = opCase;
    return { op, case: name, variant: variantName(variant), forwardError: Infinity, gradientError: null, bound, ok: false };
  }
}

/** Names of variants with a case that differs from its reference. */
export function wrongVariants(results: readonly OpCaseResult[]): Set<string> {
  return new Set(results.flatMap(({ variant, ok }) => (variant !== null && !ok ? [variant] : [])));
}
