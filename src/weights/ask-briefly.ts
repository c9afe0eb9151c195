import { NvlmError, throwIfAborted } from '../errors.ts';

/** How long what is stored waits for word of a newer version before it is used as it is. */
const PATIENCE_MS = 2000;

export function isNetworkError(error: unknown): boolean {
  return error instanceof NvlmError && error.code === 'network';
}

/**
 * What the network has to say, for those who can do without; null when it is away or silent. It is not asked at all
 * while the browser says that it is offline.
 * @throws NvlmError `cancelled`, and what `ask` throws other than `network`
 */
export async function askBriefly<T>(ask: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<{ answer: T } | null> {
  if (globalThis.navigator?.onLine === false) return null;
  const timeout = AbortSignal.timeout(PATIENCE_MS);
  try {
    return { answer: await ask(signal ? AbortSignal.any([signal, timeout]) : timeout) };
  } catch (error) {
    throwIfAborted(signal);
    if (isNetworkError(error) || timeout.aborted) return null;
    throw error;
  }
}
