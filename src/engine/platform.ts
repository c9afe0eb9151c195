import type { DevicePlatform } from '../device/types.ts';
import { hubId } from '../weights/hub.ts';
import type { ModelFiles } from '../weights/source.ts';
import type { BlobStore } from '../weights/storage/store.ts';
import type { CallOptions, ModelSource } from './api.ts';

/** What differs between a browser and Node for the engine: the devices, and where model files come from and are kept. */
export interface EnginePlatform {
  device: DevicePlatform;
  /** @throws NvlmError `usage` for a source that this platform has no access to, `network`, `not-found` */
  openFiles(source: ModelSource, options?: CallOptions): Promise<ModelFiles>;
  /** Where downloaded models are kept; null where files are read in place. */
  store(): Promise<BlobStore | null>;
}

/** Name of a source in storage and messages; a bundled model's is its id. */
export function sourceId(source: ModelSource): string {
  switch (source.kind) {
    case 'bundled':
      return source.id;
    case 'url':
      return source.url;
    case 'hub':
      return hubId(source);
    case 'folder':
      return source.path;
  }
}
