import { NvlmError, cancelled, throwIfAborted } from '../errors.ts';
import type { RetryPolicy } from './back-off.ts';
import { DEFAULT_RETRY, pauseMs, retryAfterMs, sleep } from './back-off.ts';

/** Something that another attempt may cure: throw it inside {@link HttpTransport.patiently}, which lets none out. */
export class Transient extends Error {
  readonly retryAfterMs: number | null;
  constructor(message: string, after: number | null = null, options?: ErrorOptions) {
    super(message, options);
    this.retryAfterMs = after;
  }
}

/** A response whose body is read piece by piece, tied to an abort of its own so that it can be let go at any time. */
export interface Body {
  response: Response;
  /** Next bytes, valid until the next call, or null at the end. */
  next(signal?: AbortSignal): Promise<Uint8Array | null>;
  close(): void;
}

export interface HttpOptions {
  fetch?: typeof fetch;
  retry?: Partial<RetryPolicy>;
}

/** Requests that notice silence, cancellation and passing faults, for whoever reads files or lists over HTTP. */
export interface HttpTransport {
  /** @throws Transient (408, 429, 5xx, lost connection), NvlmError `cancelled` */
  request(url: URL, init: RequestInit, signal?: AbortSignal): Promise<Body>;
  /**
   * Repeats `attempt` until it succeeds or fails for good; progress (a growing `reached()`) refills the patience.
   * @param what names the file in the message
   * @throws NvlmError `network`, or whatever `attempt` throws that is not {@link Transient}
   */
  patiently<T>(what: string, reached: () => number, signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T>;
}

/** @param host stands in messages; addresses do not, for they may hold secrets */
export function httpTransport(host: string, options: HttpOptions): HttpTransport {
  const fetchIt = options.fetch ?? globalThis.fetch.bind(globalThis);
  const policy: RetryPolicy = { ...DEFAULT_RETRY, ...options.retry };

  /**
   * A promise that the signal, or silence for too long, rejects: for fetch and body reads that do not notice by
   * themselves.
   */
  async function watched<T>(work: Promise<T>, stop: AbortController, signal?: AbortSignal): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let onAbort: (() => void) | undefined;
    const guard = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Transient('the server sent nothing for too long')), policy.stallMs);
      onAbort = () => reject(cancelled());
      if (signal?.aborted) onAbort();
      else signal?.addEventListener('abort', onAbort, { once: true });
    });
    work.catch(() => undefined);
    try {
      return await Promise.race([work, guard]);
    } catch (error) {
      stop.abort();
      if (error instanceof NvlmError || error instanceof Transient) throw error;
      throw new Transient(error instanceof Error ? error.message : String(error), null, { cause: error });
    } finally {
      clearTimeout(timer);
      if (onAbort) signal?.removeEventListener('abort', onAbort);
    }
  }

  async function request(url: URL, init: RequestInit, signal?: AbortSignal): Promise<Body> {
    throwIfAborted(signal);
    const stop = new AbortController();
    const response = await watched(fetchIt(url, { ...init, signal: stop.signal }), stop, signal);
    const { status } = response;
    if (status === 408 || status === 429 || status >= 500) {
      stop.abort();
      throw new Transient(`the server answered ${status}`, retryAfterMs(response.headers.get('Retry-After')));
    }
    const next = response.body ? bodyReader(response.body) : async () => null;
    return {
      response,
      next: (readSignal) => watched(next(), stop, readSignal),
      close: () => stop.abort(),
    };
  }

  async function patiently<T>(what: string, reached: () => number, signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T> {
    let failures = 0;
    let best = reached();
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof Transient)) throw error;
        throwIfAborted(signal);
        if (reached() > best) failures = 0;
        best = Math.max(best, reached());
        failures++;
        if (failures >= policy.attempts) {
          throw new NvlmError(
            'network',
            `${what} could not be read from ${host}: ${error.message}.`,
            'Check the connection and load again.',
            { cause: error },
          );
        }
        await sleep(pauseMs(failures, policy, error.retryAfterMs), signal);
      }
    }
  }

  return { request, patiently };
}

/** What one read of a body may bring; browsers have no more than this at hand. */
const READ_BYTES = 256 * 1024;

/** Reads a body, where it can into the same memory over and over: a model's pieces would be as much garbage as the model. */
function bodyReader(body: ReadableStream<Uint8Array>): () => Promise<Uint8Array | null> {
  const reader = byobReader(body);
  if (!reader) {
    const plain = body.getReader();
    plain.closed.catch(() => undefined);
    return async () => (await plain.read()).value ?? null;
  }
  reader.closed.catch(() => undefined);
  let memory = new ArrayBuffer(READ_BYTES);
  return async () => {
    const { done, value } = await reader.read(new Uint8Array(memory));
    if (value) memory = value.buffer;
    return done || !value ? null : value;
  };
}

function byobReader(body: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | null {
  try {
    return body.getReader({ mode: 'byob' });
  } catch {
    // Not every body is a stream of bytes, and not every browser has such streams.
    return null;
  }
}

/** Body length as sent, null when it is not stated or stated for a compressed form. */
export function statedLength(response: Response): number | null {
  const encoding = response.headers.get('Content-Encoding');
  const length = response.headers.get('Content-Length');
  if ((encoding && encoding !== 'identity') || length === null || !/^\d+$/.test(length)) return null;
  return Number(length);
}

/**
 * The whole of a body.
 * @param tooLong makes the error for one of more than `maxBytes`, which is not taken in
 * @throws Transient when it ends before its stated length
 */
export async function readBody(body: Body, maxBytes: number, tooLong: () => NvlmError, signal?: AbortSignal): Promise<Uint8Array> {
  const stated = statedLength(body.response);
  if (stated !== null && stated > maxBytes) throw tooLong();
  const pieces: Uint8Array[] = [];
  let total = 0;
  for (let piece = await body.next(signal); piece !== null; piece = await body.next(signal)) {
    total += piece.length;
    if (total > maxBytes) throw tooLong();
    pieces.push(piece.slice());
  }
  if (stated !== null && total !== stated) throw new Transient('the connection broke off');
  const whole = new Uint8Array(total);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
