/**
 * What the page, the CLI and the tests ask of the engine. Everything here is plain data, functions taking plain data, and
 * AbortSignals, so the same interface stands in front of the engine itself (Node) and of the worker that holds it (page).
 */
import { PLAIN, type Methods } from '../bridge/methods.ts';
import type { PlainError } from '../errors.ts';
import type { GpuAdapterDescription, BackendChoice, BackendName, DeviceInfo } from '../device/types.ts';
import type { Sampling } from '../nvlm/sampler.ts';
import type { OpCaseResult } from '../ops/verify.ts';
import type { ChatMessage, TokenPlan } from '../text/types.ts';
import type { TagFormat, Tiling } from '../tiling/types.ts';
import type { PickedFile } from '../weights/blob-files.ts';
import type { StrongAdapter } from './adapters/adapter.ts';
import type { InsideApi } from './inside/inside-api.ts';
import type { LabApi } from './lab/lab-api.ts';
import type { AdapterApi, AdapterUse, TrainingApi } from './runs/training-api.ts';

export type { GpuAdapterDescription, BackendChoice, BackendName, DeviceInfo, PickedFile };

/**
 * Where a model comes from. Bundled models are addressed by id (`nano-d`), those of Hugging Face by `org/name`; one line
 * for each is `modelAddress`. Plain data that can be kept, all but `files`.
 */
export type ModelSource =
  | { kind: 'bundled'; id: string }
  | { kind: 'url'; url: string }
  | { kind: 'hub'; repository: string; revision: string }
  /** A folder of this machine, in Node. */
  | { kind: 'folder'; path: string }
  /** Files that were dropped or chosen in the page; bytes are read from disk as they are wanted. */
  | { kind: 'files'; name: string; files: PickedFile[] }
  /** What a finished run of this browser has left. */
  | { kind: 'run'; id: string };

/** A model family, as people are told of it. */
export interface FamilySummary {
  id: string;
  title: string;
  /** Where the tokens of a picture go: a sentence. */
  words: string;
  /** The decoder has gated cross-attention, which can be trained alone. */
  crossAttends: boolean;
  /** Why a conversation has one picture alone; null where several may stand in it. */
  onePicture: string | null;
}

/** How a model is loaded. */
export interface LoadSettings {
  quantize?: Quantization;
  /** Longest conversation in tokens, if shorter than what the model was made for. */
  contextLength?: number;
}

export interface ModelEntry {
  /** `modelAddress` of its source. */
  id: string;
  title: string;
  source: ModelSource;
  family: FamilySummary;
  parameters: number;
  /** All files of the folder. */
  bytes: number;
  /** Where the bytes lie after the first load. */
  storage: 'opfs' | 'cache' | 'memory' | 'files' | null;
  storedBytes: number;
  loaded: boolean;
  /** False for text models. */
  takesPictures: boolean;
  /** As it was loaded last; null for bundled models. */
  settings: LoadSettings | null;
  /** What it can and cannot do, in a sentence or two. */
  note: string;
}

/** `compile`: WebGPU programs are chosen and compiled, after the weights are there. */
export type LoadStage = 'config' | 'weights' | 'compile' | 'ready';

export interface LoadProgress {
  stage: LoadStage;
  loadedBytes: number;
  totalBytes: number;
  bytesPerSecond: number;
  etaSeconds: number | null;
  fromStorage: boolean;
}

export interface LoadedModel {
  entry: ModelEntry;
  tileSize: number;
  maxTiles: number;
  tagFormat: TagFormat;
  tokensPerTile: number;
  contextLength: number;
  weightBytes: number;
  loadMs: number;
  /** Why its files are not, or not all, kept in the browser's storage; null when they are, or lie elsewhere. */
  notKept: PlainError | null;
  /** How its folder was read, where that could surprise. */
  warnings: string[];
}

export type { OpCaseResult, Sampling };

export interface ChatRequest {
  /** The whole conversation; the first user message gets the image when there is one. */
  messages: ChatMessage[];
  /** Encoded image file (PNG, JPEG, WebP), or null for text only. */
  image: Uint8Array | null;
  /** Further pictures behind it: each stands where a message says `<image>`, or else before the first question. */
  moreImages?: readonly Uint8Array[];
  /** Default: the model's own maximum. */
  maxTiles?: number;
  sampling: Sampling;
  maxNewTokens: number;
  /** Adapters that answer, by their ids in this browser; none by default. */
  adapters?: readonly AdapterUse[];
}

export type ChatEvent =
  | { type: 'stage'; stage: 'image' | 'vision' | 'prefill' | 'decode'; done: number; total: number }
  /** `text` is the text that this token completed (may be empty inside a multi-byte character). */
  | { type: 'token'; id: number; text: string; index: number };

export interface ChatResult {
  text: string;
  ids: number[];
  finishReason: 'stop' | 'length' | 'cancelled';
  usage: { promptTokens: number; visualTokens: number; completionTokens: number };
  timings: { loadMs: number; visionMs: number; prefillMs: number; decodeMs: number; firstTokenMs: number };
  backend: BackendName;
  /** The GPU adapter; null off WebGPU. Those that tune a model are in `adapters`. */
  adapter: GpuAdapterDescription | null;
}

/** The numbers of a model that the inspector needs; no weights. */
export interface InspectRequest {
  image: Uint8Array;
  /** Preset or bundled model id whose tokenizer and widths are used; default the NVLM-1.0-D-72B geometry. */
  model?: string;
  tileSize?: number;
  maxTiles?: number;
  tagFormat?: TagFormat;
  /** User text after the image, for the token strip. */
  prompt?: string;
}

export interface ArchitectureCost {
  /** Positions of the decoder's sequence. */
  decoderTokens: number;
  /** Keys that gated cross-attention reads. */
  crossAttentionTokens: number;
  /** Bytes of self- and cross-attention keys and values, f16, for the sequence. */
  kvBytes: number;
}

/** By an architecture's letter; NVLM's three are always there. */
export type ByArchitecture<T> = Record<'D' | 'X' | 'H', T> & Record<string, T>;

export interface Inspection {
  tiling: Tiling;
  /** What of the picture a model sees otherwise than people do, a sentence without its end. */
  notice: string | null;
  tokens: { perTile: number; visual: number; tags: number };
  /** The architectures that are compared, in the order of their rows. */
  architectures: { letter: string; title: string; words: string; maskWords: string }[];
  /** One plan an architecture, by its letter; the same object the model would consume. */
  plans: ByArchitecture<TokenPlan>;
  costs: ByArchitecture<ArchitectureCost>;
  /** Surface text of every id in the plans, for hovering. */
  tokenTexts: Record<number, string>;
  geometry: {
    model: string;
    title: string;
    /** Letter of the compared architecture whose tiles take the same way as this model's. */
    architecture: string;
    tileSize: number;
    maxTiles: number;
    /** Most regular tiles that its rule can be asked for, and what tile sizes are multiples of. */
    mostTiles: number;
    tileStep: number;
    tagFormat: TagFormat;
  };
}

export interface CallOptions {
  signal?: AbortSignal;
}

/** How a float checkpoint is quantised while it loads: MLX's affine scheme, the language model's matrices alone. */
export interface Quantization {
  bits: 4 | 8;
  /** How many neighbouring columns share a scale and a bias; a matrix whose columns do not divide stays as it is. */
  groupSize: 32 | 64 | 128;
}

export interface LoadOptions extends CallOptions, LoadSettings {
  /** PEFT LoRA adapters that stand on the model for as long as it is loaded. */
  adapters?: readonly StrongAdapter[];
  /**
   * Loaded models, by id, that stay in memory beside this one, to be loaded again in no time; all others go. Given at all, a model that
   * is in memory with the same settings is not read again. See `fitTogether`.
   */
  beside?: readonly string[];
  /** Leave the weights on disk and bring them to the device as they are wanted, for a model larger than the device. */
  offload?: { budgetBytes: number };
  onProgress?: (progress: LoadProgress) => void;
}

/** What a plan is made for. */
export interface PlanSettings {
  /** Tokens of the longest conversation. */
  contextLength: number;
  quantize?: Quantization;
}

/** What configuration and headers say of a model. */
export interface PlannedModel {
  family: FamilySummary;
  parameters: number;
  takesPictures: boolean;
  tileSize: number;
  maxTiles: number;
  /** Tokens of the longest conversation that it was made for. */
  longestContext: number;
  /** The checkpoint is quantised already. */
  quantized: boolean;
}

/** What a model will need in memory, before the first byte of its weights is read. */
export interface MemoryPlan {
  about: PlannedModel;
  backend: BackendName;
  settings: PlanSettings;
  /** Weights and cache are exact to a few percent; activations are an estimate of the peak. */
  bytes: { weights: number; kvCache: number; activations: number; total: number };
  /** The largest single buffer, which WebGPU limits. */
  largestBuffer: { name: string; bytes: number };
  /** Bytes of the weight files. */
  download: number;
  /** What the browser may still store; null where nothing is stored. */
  freeQuota: number | null;
  /** Whether the files could be kept; the model works without. Null where nothing is stored. */
  canBeStored: boolean | null;
  verdict: 'fits' | 'fits-if' | 'does-not-fit';
  /** Why not, a sentence each. */
  problems: string[];
  /** How its folder was read, where that could surprise. */
  warnings: string[];
  /** Settings with which it would fit, for `fits-if`. */
  settingsThatFit: PlanSettings | null;
}

/** A repository of the hub that a search has found. */
export interface HubHit {
  /** `org/name` */
  repository: string;
  downloads: number;
  likes: number;
  /** Access has to be asked for. */
  gated: boolean;
  /** null where the hub does not say. */
  parameters: number | null;
  /** Of the weights, from parameters and number formats; null where the hub does not say. */
  bytes: number | null;
  /** `model_type` of its configuration; null where the hub does not say. */
  modelType: string | null;
  /** Whether this engine knows models of that type; null where the hub does not say. */
  loadable: boolean | null;
}

export interface VerifyProgress {
  /** Ops that are through, of how many. */
  done: number;
  total: number;
}

/**
 * While a run trains, it has the device: what would need it rejects with `busy`. A new method is declared here, named in
 * {@link ENGINE_METHODS} and implemented in the engine; the page's client, its worker and the tests' fake follow.
 */
export interface Engine extends TrainingApi, AdapterApi, InsideApi, LabApi {
  device(): Promise<DeviceInfo>;
  /** Switches the backend; a loaded model is unloaded first. */
  openDevice(choice: BackendChoice): Promise<DeviceInfo>;
  models(): Promise<ModelEntry[]>;
  load(source: ModelSource, options?: LoadOptions): Promise<LoadedModel>;
  /** Reads configuration and headers alone. The loaded model stays. */
  plan(source: ModelSource, options?: CallOptions & Partial<PlanSettings>): Promise<MemoryPlan>;
  unload(): Promise<void>;
  /** For private and gated repositories of the hub. Kept in memory alone, and sent to the hub alone. */
  useHubToken(token: string | null): Promise<void>;
  /** Repositories with safetensors whose names hold `query`, most downloaded first. @throws NvlmError `network` */
  searchHub(query: string, options?: CallOptions): Promise<HubHit[]>;
  /** Deletes the stored bytes of a model (not the loaded one). */
  deleteStored(id: string): Promise<void>;
  chat(request: ChatRequest, options?: CallOptions & { onEvent?: (event: ChatEvent) => void }): Promise<ChatResult>;
  inspect(request: InspectRequest, options?: CallOptions): Promise<Inspection>;
  /** Every op on the open device, forward and gradient, against its reference. The loaded model stays. */
  verify(options?: CallOptions & { onProgress?: (progress: VerifyProgress) => void }): Promise<OpCaseResult[]>;
  dispose(): Promise<void>;
}

/** Every method of {@link Engine}, and what of it moves between the page and the engine's worker instead of being copied. */
export const ENGINE_METHODS: Methods<Engine> = {
  device: PLAIN,
  openDevice: PLAIN,
  models: PLAIN,
  load: PLAIN,
  plan: PLAIN,
  unload: PLAIN,
  useHubToken: PLAIN,
  searchHub: PLAIN,
  deleteStored: PLAIN,
  chat: PLAIN,
  // Megabytes of pixels.
  inspect: { moves: ['result'] },
  verify: PLAIN,
  runs: PLAIN,
  readRun: PLAIN,
  planRun: PLAIN,
  startRun: PLAIN,
  resumeRun: PLAIN,
  deleteRun: PLAIN,
  renameRun: PLAIN,
  exportRun: { moves: ['result'] },
  importRun: PLAIN,
  adapters: PLAIN,
  importAdapter: PLAIN,
  deleteAdapter: PLAIN,
  exportAdapter: { moves: ['result'] },
  exportMerged: { moves: ['events'] },
  insideOpen: PLAIN,
  insideAttention: { moves: ['result'] },
  insideHeads: { moves: ['result'] },
  insideWorth: PLAIN,
  insideLens: PLAIN,
  insideAgain: PLAIN,
  insideClose: PLAIN,
  labExperiments: PLAIN,
  planLab: PLAIN,
  runLab: PLAIN,
  readLab: PLAIN,
  exportLab: { moves: ['result'] },
  dispose: PLAIN,
};
