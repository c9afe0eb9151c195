/** What kind of thing went wrong; stable, so callers and tests branch on it instead of on prose. */
export type ErrorCode =
  // input the user gave
  | 'usage'
  | 'bad-image'
  | 'image-too-large'
  | 'bad-model'
  | 'unsupported-model'
  | 'bad-data'
  | 'empty-prompt'
  | 'prompt-too-long'
  | 'not-found'
  // transport and storage
  | 'network'
  | 'corrupt-file'
  | 'storage-full'
  | 'storage-lost'
  // compute
  | 'no-device'
  | 'device-lost'
  | 'engine-lost'
  | 'out-of-memory'
  | 'shader-failed'
  | 'not-a-number'
  // flow
  | 'cancelled'
  | 'busy'
  | 'internal';

/**
 * Every failure a user can meet: what happened (`message`), a stable `code`, and `fix`, one line that says what to do next.
 * Plain data survives Comlink and JSON: see {@link toPlainError} and {@link fromPlainError}.
 */
export class NvlmError extends Error {
  readonly code: ErrorCode;
  readonly fix: string;

  constructor(code: ErrorCode, message: string, fix: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'NvlmError';
    this.code = code;
    this.fix = fix;
  }
}

export interface PlainError {
  code: ErrorCode;
  message: string;
  fix: string;
}

export function toPlainError(error: unknown): PlainError {
  if (error instanceof NvlmError) return { code: error.code, message: error.message, fix: error.fix };
  if (error instanceof Error && error.name === 'AbortError') return toPlainError(cancelled());
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'internal', message, fix: 'This is a bug in the playground: please report it with the steps that led here.' };
}

export function fromPlainError(plain: PlainError): NvlmError {
  return new NvlmError(plain.code, plain.message, plain.fix);
}

export function cancelled(): NvlmError {
  return new NvlmError('cancelled', 'Stopped.', 'Start again when you are ready.');
}

/** Throws the `cancelled` error when the signal has fired; called between units of work. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancelled();
}
