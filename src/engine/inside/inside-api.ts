/** What may be asked about the inside of a model while it answers; plain data, for the page, the command line and the tests. */
import type { AttentionKind } from '../../nvlm/probe.ts';
import type { ChatMessage, SegmentKind } from '../../text/types.ts';
import type { Box, TagFormat, TileLayout } from '../../tiling/types.ts';
import type { CallOptions } from '../api.ts';
import type { AdapterUse } from '../runs/training-api.ts';

export type { AttentionKind };

/** The same question answered under other circumstances. */
export interface InsideChanges {
  /** By cross-attention layer: what its output is multiplied with instead of the learnt tanh(g): 0 closed, 1 open. */
  gates?: Readonly<Record<number, number>>;
  /** Tiles painted in the mean colour before the vision encoder sees them, by their place in the sequence. */
  hide?: readonly number[];
  /** Which regular tile stands at each regular place: a permutation of 0 … regular tiles − 1, the thumbnail not counted. It stays. */
  order?: readonly number[];
  /** How the tiles are named. */
  tagFormat?: TagFormat;
}

export interface InsideRequest {
  /** The conversation up to the question. */
  messages: ChatMessage[];
  /** Encoded picture, or null for text alone. */
  image: Uint8Array | null;
  maxTiles?: number;
  /** The answer's tokens, as they were said; without them the model answers, greedily. */
  answer?: readonly number[];
  /** Most tokens of an answer that is not given. */
  maxNewTokens: number;
  changes?: InsideChanges;
  adapters?: readonly AdapterUse[];
}

/** A token and how likely the model found it, among all that it may say (the image placeholder it may not). */
export interface TokenOdds {
  id: number;
  text: string;
  /** Natural logarithm of the probability. */
  logp: number;
}

export interface AnswerToken extends TokenOdds {
  /** The five likeliest tokens at this place, likeliest first. */
  top: TokenOdds[];
}

/** Whose keys: the sequence's first token (where attention goes that wants nothing), words, tags, a tile's cells, the answer so far. */
export type KeyOwner = 'first' | 'text' | 'tag' | 'tile' | 'thumbnail' | 'answer';

/** Neighbouring keys of one owner. */
export interface KeyRun {
  owner: KeyOwner;
  /** Place of the tile in the sequence, for `tag`, `tile` and `thumbnail`. */
  tile?: number;
  /** First key and one past the last. Of a tile: its cells, row by row. */
  start: number;
  end: number;
}

/** How much of a row's attention goes where; what belongs to one owner, or to one tile, is added up. */
export interface AttentionShare {
  owner: KeyOwner;
  tile?: number;
  share: number;
}

export interface Gate {
  layer: number;
  /** tanh(g) as it was learnt. */
  learnt: number;
  /** As it was in this answer. */
  used: number;
}

/** Where the tiles lie on the picture; shuffled ones stand at other places of the sequence, under those places' tags. */
export interface PictureLayout {
  image: { width: number; height: number };
  /** The resized picture that the tiles are cut from. */
  canvas: { width: number; height: number };
  grid: { cols: number; rows: number };
  tileSize: number;
  /** Cells of one tile, side by side; each is one visual token. */
  cellsAcross: number;
  /** By place in the sequence: where what stands there lies on the picture. */
  tiles: TileLayout[];
}

/** A token of the prompt that is no cell of a picture. */
export interface PromptToken {
  position: number;
  id: number;
  text: string;
  kind: Exclude<SegmentKind, 'visual'>;
}

/** An answer with everything that a view of it needs to know before it asks for weights. */
export interface InsideTrace {
  /** Names the trace in later calls; the next one that is opened takes its place. */
  trace: number;
  /** The model's family, by its title. */
  architecture: string;
  text: string;
  finishReason: 'stop' | 'length' | 'given';
  answer: AnswerToken[];
  prompt: PromptToken[];
  promptTokens: number;
  /** Positions whose attention can be asked for: those of the prompt behind the picture's first token that are not cells, then, last, `answer.length` that predict the answer's tokens. */
  rows: number[];
  heads: number;
  /** Layers with attention of a kind, from 0. */
  layers: Record<AttentionKind, number[]>;
  keys: Record<AttentionKind, KeyRun[]>;
  gates: Gate[];
  /** null without a picture. */
  layout: PictureLayout | null;
  /** Whether cells stand in the sequence, so that the logit lens has something to read. */
  hasLens: boolean;
  /** What asking for the worth of every tile will take, from what this answer took. */
  worthMs: number;
  /** The same for the worth of every cell of the picture, and for the lens at one layer. */
  cellWorthMs: number;
  lensMs: number;
}

/** Which attention, and how layers and heads are put together. */
export interface AttentionRequest {
  trace: number;
  kind: AttentionKind;
  /** Default: all. */
  layers?: readonly number[];
  heads?: readonly number[];
  /** Indices into `InsideTrace.rows`; default: the answer's. */
  rows?: readonly number[];
  how: 'mean' | 'max';
}

export interface AttentionRows {
  /** [rows, keys] */
  values: Float32Array;
  rows: number;
  keys: number;
}

export interface HeadAttention {
  /** [layers, heads, keys], the mean over the rows asked for. */
  values: Float32Array;
  layers: number[];
  heads: number;
  keys: number;
}

/** Pixels of one tile that are painted in the mean colour; the whole tile without `box`. */
export interface PaintedPart {
  tile: number;
  /** In the tile's own pixels. */
  box?: Box;
}

export interface WorthRequest {
  trace: number;
  /** Each is painted alone, all its parts at once. */
  regions: readonly (readonly PaintedPart[])[];
}

/** A region is through: log p of every token of the answer, minus the same with the region painted. */
export interface WorthEvent {
  region: number;
  worth: number[];
  done: number;
  total: number;
}

/** What each visual token says at one depth: the vocabulary's nearest entry in its residual stream, through final norm and head. */
export interface LensLayer {
  layer: number;
  /** Of the tiles whose cells stand in the sequence, in the order of `keys.self`. */
  cells: { tile: number; cell: number; id: number; text: string; p: number }[];
}

/** The answer under changes, beside what the first answer's tokens would still have had. */
export interface ChangedAnswer {
  text: string;
  finishReason: 'stop' | 'length';
  answer: AnswerToken[];
  /** log p of each token of the trace's answer, under the changes. */
  firstLogp: number[];
  gates: Gate[];
}

export type InsideProgress = { stage: 'image' | 'vision' | 'answer' | 'reading' | 'worth' | 'lens'; done: number; total: number };

interface Watched extends CallOptions {
  onProgress?: (progress: InsideProgress) => void;
}

/**
 * Looking inside the loaded model. Off the way of `chat`, which neither waits for anything kept here nor loses what it keeps. One trace
 * is open at a time, and closes with its model; calls for another reject with `not-found`.
 */
export interface InsideApi {
  /** Runs a question and its answer through the model once more and keeps what a view needs. @throws as `chat`; `bad-data` for an empty answer */
  insideOpen(request: InsideRequest, options?: Watched): Promise<InsideTrace>;
  insideAttention(request: AttentionRequest, options?: CallOptions): Promise<AttentionRows>;
  insideHeads(request: Omit<AttentionRequest, 'how'>, options?: CallOptions): Promise<HeadAttention>;
  /** Regions are handed over one by one as they are known, not in the order given. */
  insideWorth(request: WorthRequest, options: CallOptions & { onEvent: (event: WorthEvent) => void }): Promise<void>;
  /** @param layers default: all */
  insideLens(trace: number, layers?: readonly number[], options?: Watched): Promise<LensLayer[]>;
  /** The same question under changes. The trace stays open and as it was. */
  insideAgain(trace: number, changes: InsideChanges, maxNewTokens: number, options?: Watched): Promise<ChangedAnswer>;
  /** Frees what the open trace holds. */
  insideClose(): Promise<void>;
}
