import type { DevicePlatform } from '../device/types.ts';
import type { NvlmError } from '../errors.ts';
import type { Folder } from '../files/folder.ts';
import type { HubOptions } from '../weights/hub.ts';
import type { ModelFiles } from '../weights/source.ts';
import type { BlobStore } from '../files/blobs/store.ts';
import type { CallOptions, ModelSource } from './api.ts';

/** Name of a source in messages and lists. */
export { modelAddress as sourceId } from './models/model-address.ts';

export interface OpenFilesOptions extends CallOptions {
  /** The files cannot be kept in the browser's storage; they can be read all the same. At most once. */
  onWarning?: (error: NvlmError) => void;
}

/** What differs between a browser and Node for the engine: the devices, and where model files come from and are kept. */
export interface EnginePlatform {
  device: DevicePlatform;
  /** How the hub is asked; the token may change. */
  hub: HubOptions;
  /** @throws NvlmError `usage` for a source that this platform has no access to, `network`, `not-found` */
  openFiles(source: ModelSource, options?: OpenFilesOptions): Promise<ModelFiles>;
  /** Where downloaded models are kept; null where files are read in place. */
  store(): Promise<BlobStore | null>;
  /** Where lies what was measured on the devices of this machine; worth keeping, and found again where it is lost. */
  kept(): Promise<Folder>;
  /** Where runs (`runs/<id>`), datasets and adapters lie. */
  files(): Promise<Folder>;
}
