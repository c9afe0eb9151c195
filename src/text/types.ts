export interface ChatMessage {
  role: 'system' | 'user' | 'assistant';
  /** Of a user; may hold `<image>`, where a picture stands. */
  content: string;
}

/** A tile of a picture, as a token plan needs it; its place in the list is its place in the sequence. */
export interface TileMark {
  /** Empty without tags. */
  tag: string;
  col: number;
  row: number;
  /** The whole picture once more, beside its tiles. */
  thumbnail: boolean;
}

/** Half-open range of a string, in UTF-16 units. */
export interface Span {
  start: number;
  end: number;
}

/** A token that stands for a fixed string outside the learnt vocabulary: control tokens, tile tags, wrappers. */
export interface AddedToken {
  id: number;
  content: string;
  /** Dropped by `decode` with `skipSpecialTokens`. */
  special: boolean;
}

/** A text tokenizer: the model folder's `tokenizer.json`. */
export interface Tokenizer {
  /**
   * No special tokens are added; added tokens inside the text are recognised, except where they touch a `literal` span
   * (what a user typed): there the same characters are ordinary text.
   */
  encode(text: string, literal?: readonly Span[]): number[];
  decode(ids: ArrayLike<number>, options?: { skipSpecialTokens?: boolean }): string;
  /** Id of an added or vocabulary token, undefined when there is none. */
  idOf(token: string): number | undefined;
  /** The token's own surface text (for the inspector), special tokens included. */
  tokenText(id: number): string;
  /** One more than the largest id. */
  readonly vocabSize: number;
  readonly addedTokens: readonly AddedToken[];
}

export type SegmentKind = 'text' | 'tag' | 'visual' | 'answer';

/** A run of neighbouring sequence positions that belong together. */
export interface Segment {
  kind: SegmentKind;
  /** First position and one past the last. */
  start: number;
  end: number;
  /** Index of the tile for `tag` and `visual`. */
  tile?: number;
  /** Source text for `text`, `tag` and `answer`. */
  text?: string;
}

/**
 * The sequence of one sample, whatever the architecture: what the model consumes, the inspector draws and the tests
 * compare (`plan` of the reference implementation).
 */
export interface TokenPlan {
  /** [T] */
  inputIds: Int32Array;
  /** [T], −100 = not in the loss. */
  labels: Int32Array;
  /** Cover [0, T) without gaps, in order. */
  segments: Segment[];
  /** Tokens of one tile after pixel shuffle. */
  tokensPerTile: number;
  /** Tiles whose visual tokens stand in the decoder's sequence, in order (D: all, X: none, H: the thumbnail). */
  sequenceTiles: number[];
  /** Tiles read through gated cross-attention, in order (D: none, X: all, H: the regular ones). */
  crossTiles: number[];
  /** [T, crossTiles.length] row-major, 1 = this row sees that tile. */
  crossMask: Uint8Array;
  /**
   * H only: ids of the tag that stands before each cross-attended tile's tokens in keys and values; otherwise empty.
   */
  crossTagIds: Int32Array[];
  counts: {
    /** T */
    decoderTokens: number;
    /** Keys that cross-attention reads: visual tokens and, in H, tag tokens. */
    crossAttentionTokens: number;
    /** Of all tiles, wherever they are read: tiles · tokensPerTile. */
    visualTokens: number;
    /** Of all tags, wherever they are read. */
    tagTokens: number;
  };
}
