/**
 * An API whose methods run in a worker. The page's client, the worker's service and the fakes of tests all follow from
 * one list of its methods, which stands beside the API's type, so that no method is written down twice.
 *
 * To add a method: declare it in the API's interface, add its name to the list below that interface (the compiler asks
 * for it), and implement it. It must return a promise and take and give plain data, except that its last argument
 * may be an object of options with an AbortSignal and callbacks, each of which takes one event.
 */
export type Methods<Api> = { readonly [Name in keyof Api]: MethodTraits };

/** What of a call's bytes and bitmaps moves to the other thread, and is gone on this one, instead of being copied. */
export interface MethodTraits {
  moves?: readonly ('arguments' | 'result' | 'events')[];
}

/** A method that needs nothing said of it. */
export const PLAIN: MethodTraits = {};
