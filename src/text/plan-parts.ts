import type { Span } from './types.ts';

/** Which cross-attended tiles a row sees: none, all, or the one in this column of the mask. */
export type Sees = 'none' | 'all' | number;

export interface WrittenPart {
  kind: 'text' | 'tag' | 'answer';
  text: string;
  /** Ranges of `text` in which nothing is a control token. */
  literal?: readonly Span[];
  tile?: number;
  /** In the loss. */
  learn?: boolean;
  sees: Sees;
}

/** A stretch of the sequence before tokenisation. */
export type Part = WrittenPart | { kind: 'visual'; tile: number; sees: Sees };

/** One text; what it sees is the first part's. */
export function concatenate<First extends WrittenPart>(first: First, second: WrittenPart): First {
  const shift = first.text.length;
  const shifted = (second.literal ?? []).map(({ start, end }) => ({ start: start + shift, end: end + shift }));
  return { ...first, text: first.text + second.text, literal: [...(first.literal ?? []), ...shifted] };
}
