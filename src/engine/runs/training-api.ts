/**
 * What the page asks of the engine's training side. Runs lie in the browser's private storage, a folder each, in the
 * form that `nvlm train` writes; all of it is plain data.
 */
import type { StepResult } from '../../training/trainer.ts';
import type { CallOptions, ModelSource } from '../api.ts';

/**
 * A run file as the README states it, with ids in the place of paths: `data`, `text.data` and the like name datasets,
 * `lora.init` an adapter of this browser.
 */
export type RunFile = Record<string, unknown>;

export interface RunRequest {
  title: string;
  model: ModelSource;
  run: RunFile;
  /** Steps between two sample answers on held-out pictures; 0 = none. */
  sampleEvery: number;
  /** How many held-out records are answered, spread evenly over them. */
  samples: number;
  /** Steps between two measurements of the held-out loss; 0 = none. */
  heldOutEvery: number;
}

export type RunState = 'running' | 'paused' | 'finished' | 'failed';

export interface RunSummary {
  id: string;
  title: string;
  request: RunRequest;
  state: RunState;
  /** Steps behind it, of `steps`; the checkpoint's where the tab was closed in the middle. */
  step: number;
  steps: number;
  createdAt: number;
  changedAt: number;
  bytes: number;
  /** Why it failed or stands still: a sentence. */
  note: string | null;
  /** What the finished run leaves: an adapter for Chat, or a model of its own. */
  result: 'adapter' | 'model' | null;
  /** Its model was a folder of the visitor's disk that is not open any more: {@link TrainingApi.resumeRun} needs it again. */
  needsModel: boolean;
}

/** One line of `log.jsonl`. */
export interface RunStep extends StepResult {
  ms: number;
  /** Mean cross-entropy over the held-out records' labelled tokens, where this step measured it. */
  heldOutLoss?: number;
  /** tanh(g) of every gated cross-attention layer, in the order of the layers; X and H only. */
  gates?: number[];
  /** On the device after the step. */
  memoryBytes?: number;
}

/** An answer to a held-out question; one line of `samples.jsonl`. */
export interface RunSample {
  /** Steps behind the model that gave it; 0 = the base model. */
  step: number;
  record: string;
  question: string;
  picture: string | null;
  expected: string;
  answer: string;
}

export type RunEvent =
  /** First of all, so that the page can name the run in its address. */
  | { type: 'run'; summary: RunSummary }
  | { type: 'stage'; stage: 'load' | 'data' | 'baseline' | 'train' | 'samples' | 'save'; done: number; total: number }
  | { type: 'problems'; problems: { id: string; reason: string }[] }
  | { type: 'step'; step: RunStep; etaSeconds: number }
  | { type: 'sample'; sample: RunSample };

/** Everything that a run has left so far, for its charts and its report. */
export interface RunRecord {
  summary: RunSummary;
  log: RunStep[];
  samples: RunSample[];
}

/** What training will need, before it starts; bytes. */
export interface TrainingPlan {
  weights: number;
  /** The optimiser's state, and the gradient of earlier batches while several are added up. */
  optimizer: number;
  activations: number;
  total: number;
  /** Positions of the longest record. */
  longest: number;
  trainedParameters: number;
  verdict: 'fits' | 'fits-if' | 'does-not-fit';
  problems: string[];
  /** What else is worth knowing, a sentence each. */
  notes: string[];
  /** What was passed over in the model's folder, a sentence each. */
  warnings: string[];
  /** Changes to the run file with which it would fit, mildest first; for `fits-if`. */
  changes: Partial<RunFile> | null;
}

export interface ExportedFile {
  path: string;
  bytes: Uint8Array;
}

/** What of a run file may change on the way: a run that diverged goes on with a lower rate. Not its data or batches. */
export type RunChanges = Partial<Record<'steps' | 'optimizer', unknown>>;

export type RunExport = 'run' | 'adapter' | 'model';

export interface TrainingApi {
  runs(): Promise<RunSummary[]>;
  readRun(id: string): Promise<RunRecord>;
  /** Reads configuration, headers and the data's lengths; no weights. */
  planRun(request: RunRequest, options?: CallOptions): Promise<TrainingPlan>;
  /**
   * Starts a run, which takes the device for as long as it lasts; resolves when it is finished or was paused. The
   * signal pauses it: a checkpoint is written from which {@link resumeRun} goes on.
   */
  startRun(request: RunRequest, options?: CallOptions & { onEvent?: (event: RunEvent) => void }): Promise<RunSummary>;
  /**
   * Goes on from the last checkpoint, after a pause, a closed tab, a lost device or a failure; from the beginning where
   * none was written. A finished run goes on when `changes` gives it more steps. What is refused before it takes a step
   * leaves the run as it was.
   *
   * @param options `model`: where its model lies now, for one that `needsModel`
   * @throws NvlmError `busy` when another tab trains it, `not-found` without its model, `usage` with another model than
   *   it was begun with, or when its data has changed
   */
  resumeRun(
    id: string,
    options?: CallOptions & { changes?: RunChanges; model?: ModelSource; onEvent?: (event: RunEvent) => void },
  ): Promise<RunSummary>;
  deleteRun(id: string): Promise<void>;
  renameRun(id: string, title: string): Promise<RunSummary>;
  /** `run`: the whole folder, which `nvlm train --resume` continues; `adapter`: PEFT; `model`: a checkpoint of its own. */
  exportRun(id: string, what: RunExport): Promise<ExportedFile[]>;
  /** A run's folder made elsewhere, by `nvlm train` or another tab. @throws NvlmError `bad-data`, `bad-model` */
  importRun(files: ExportedFile[]): Promise<RunSummary>;
}

/** A LoRA adapter that Chat can put on a model. */
export interface AdapterEntry {
  id: string;
  title: string;
  /** Name of the model that it was made for, as its config says; it fits every model of the same names and widths. */
  base: string | null;
  /** Of its widest module. */
  rank: number;
  modules: number;
  parameters: number;
  bytes: number;
  /** A run of this browser, or a PEFT folder that was brought in. */
  from: 'run' | 'import';
  /** Why the loaded model cannot take it: a sentence; null when it fits or no model is loaded. */
  misfit: string | null;
}

/** One adapter as a request uses it. */
export interface AdapterUse {
  id: string;
  /** Factor on the adapter's own scale: 0 = off, 1 = as trained; up to 2. */
  strength: number;
}

/** A piece of an exported file, in the order of the files and of their bytes. */
export interface ExportPart {
  path: string;
  /** Of the whole file. */
  fileBytes: number;
  part: Uint8Array;
  /** The file is complete with this piece. */
  last: boolean;
  doneBytes: number;
  totalBytes: number;
}

export interface AdapterApi {
  adapters(): Promise<AdapterEntry[]>;
  /** `adapter_config.json` and `adapter_model.safetensors`. @throws NvlmError `bad-model`, `unsupported-model` */
  importAdapter(title: string, files: ExportedFile[]): Promise<AdapterEntry>;
  /** Adapters of runs go with their run. @throws NvlmError `usage` */
  deleteAdapter(id: string): Promise<void>;
  /** The PEFT folder of one adapter. */
  exportAdapter(id: string): Promise<ExportedFile[]>;
  /**
   * The loaded model's folder with adapters added into its weights, in the layout that it came from, piece by piece:
   * the next is made when the listener's promise resolves.
   *
   * @throws NvlmError `usage` for an adapter that the layout cannot take in
   */
  exportMerged(adapters: readonly AdapterUse[], options: CallOptions & { onPart: (part: ExportPart) => unknown }): Promise<void>;
}
