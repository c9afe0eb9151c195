import { DATA_METHODS, type DataApi, type ImportSource, type ImportTarget } from '../../../../workers/data-api.ts';
import { createRemote } from '../../../bridge/remote.ts';
import { hostOf } from '../../../bridge/worker-host.ts';
import type { ExamplePreview } from '../../../engine/runs/preview-example.ts';
import { NvlmError } from '../../../errors.ts';

export type { ExamplePreview, ImportSource, ImportTarget };

/** A damaged parquet file can keep its reader turning for ever: a worker that does not stop when asked is ended. */
const PATIENCE_MS = 5000;

/** The dataset library of the page; its worker starts with the first call, and anew after it died. */
export const dataClient: DataApi = createRemote<DataApi>({
  methods: DATA_METHODS,
  spawn: () => hostOf(new Worker(new URL('../../../../workers/data.worker.ts', import.meta.url), { type: 'module', name: 'data' })),
  lost: (why) => new NvlmError('internal', `The data worker stopped. ${why}`.trim(), 'Try again: what was saved is kept.'),
  patienceMs: PATIENCE_MS,
}).api;
