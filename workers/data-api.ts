import { PLAIN, type Methods } from '../src/bridge/methods.ts';
import type { DatasetLibrary } from '../src/datasets/library.ts';
import type { GenerateRequest, ImportChoices, ImportDescription, ImportProgress, ImportReport } from '../src/datasets/types.ts';
import type { CallOptions, ModelSource } from '../src/engine/api.ts';
import type { ExamplePreview } from '../src/engine/runs/preview-example.ts';

/** What is to be imported: files with the folders that they were in, or one at an address. */
export type ImportSource = { files: { path: string; blob: Blob }[] } | { address: string };

/** Where to: a dataset, or a new one of this title. */
export type ImportTarget = { id: string } | { title: string };

type WorkOptions = CallOptions & { onProgress?: (progress: ImportProgress) => void };

/** What the page calls of the dataset library as it is. */
export const LIBRARY_METHODS = [
  'list',
  'create',
  'rename',
  'remove',
  'restore',
  'query',
  'update',
  'add',
  'duplicate',
  'removeRecords',
  'putBack',
  'split',
] as const satisfies (keyof DatasetLibrary)[];

export type LibraryMethods = Pick<DatasetLibrary, (typeof LIBRARY_METHODS)[number]>;

/** The dataset library, and records as a model will see them, in a worker of their own. */
export interface DataApi extends LibraryMethods {
  /**
   * Whether datasets outlive the tab. Where the browser gives the page no storage, they lie in the memory of this worker, where the
   * engine cannot read them either.
   */
  lasts(): Promise<boolean>;
  describe(source: ImportSource, options?: CallOptions): Promise<ImportDescription>;
  import(
    target: ImportTarget,
    source: ImportSource,
    choices: ImportChoices,
    options?: WorkOptions,
  ): Promise<{ id: string; report: ImportReport }>;
  generate(target: ImportTarget, request: GenerateRequest, options?: WorkOptions): Promise<{ id: string; report: ImportReport }>;
  thumbnail(id: string, path: string): Promise<Blob>;
  preview(id: string, record: string, model: ModelSource, maxTiles: number | null): Promise<ExamplePreview>;
  export(id: string): Promise<Blob>;
}

/** Every method of {@link DataApi}. */
export const DATA_METHODS: Methods<DataApi> = {
  ...(Object.fromEntries(LIBRARY_METHODS.map((name) => [name, PLAIN])) as Methods<LibraryMethods>),
  lasts: PLAIN,
  describe: PLAIN,
  import: PLAIN,
  generate: PLAIN,
  thumbnail: PLAIN,
  preview: PLAIN,
  export: PLAIN,
};
