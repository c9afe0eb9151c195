import type { PlainError } from '../errors.ts';

/** Errors cross as data: Comlink would keep their message and lose code and fix line. */
export type Reply<T = unknown> = { ok: true; value: T } | { ok: false; error: PlainError };

/** Number that the page gives to a call, so that it can cancel it: an AbortSignal does not cross. */
export type CallId = number;

/** One call as it crosses; its callbacks follow it as Comlink proxies, because those cross only as whole arguments. */
export interface CallMessage {
  id: CallId;
  method: string;
  /** Without AbortSignals and callbacks. */
  args: unknown[];
  /** Names of the callbacks in the last argument, in the order in which they follow. */
  callbacks: string[];
  /** The last argument holds an AbortSignal. */
  cancellable: boolean;
}

/** A callback of the page; in the worker it is a Comlink proxy over a port of its own. */
export type Callback = (event: unknown) => unknown;

/** What a worker exposes. */
export interface CallService {
  call(message: CallMessage, ...callbacks: Callback[]): Promise<Reply>;
  cancel(id: CallId): void;
}

/** Sent once, before any reply: the worker holds this Web Lock for as long as it lives. */
export interface AliveMessage {
  aliveWhileLocked: string;
}

/**
 * Sent before the worker begins what it cannot interrupt, and with null when that is done: a worker that is not done in
 * time hangs, and the page ends it.
 */
export interface DeafMessage {
  deafIn: { what: string; seconds: number } | null;
}
