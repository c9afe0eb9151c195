import type { AttentionKind, InsideTrace } from './inside-api.ts';

/** What was found inside a bundled model while it answered an example's first question, made ahead by build/inside-examples.ts. */
export interface StoredLook {
  question: string;
  about: Omit<InsideTrace, 'trace'>;
  /** Rows of the answer's tokens, the mean over layers and heads, in whole steps: [rows, keys]. */
  looks: Partial<Record<AttentionKind, { keys: number; step: number; values: number[] }>>;
  /** By tile, of each token of the answer. */
  worth: number[][];
}

/** By the example's id. */
export type StoredLooks = Record<string, StoredLook>;
