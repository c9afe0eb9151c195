import { NvlmError } from '../errors.ts';
import { httpFiles } from '../weights/http-files.ts';
import { openHub } from '../weights/hub.ts';
import type { ModelFiles } from '../weights/source.ts';
import { bundledFiles, listedFiles, storedFiles } from '../weights/stored-files.ts';
import { openStore } from '../weights/storage/open-store.ts';
import type { BlobStore } from '../weights/storage/store.ts';
import type { CallOptions, ModelSource } from './api.ts';
import { isBundled } from './bundled-models.ts';
import type { EnginePlatform } from './platform.ts';

/**
 * Models over HTTP, kept in the browser's storage.
 *
 * @param modelsUrl where the bundled models' folders lie, with a closing slash
 */
export function browserFiles(modelsUrl: URL): Pick<EnginePlatform, 'openFiles' | 'store'> {
  let opened: Promise<BlobStore> | undefined;
  const store = () => (opened ??= openStore());

  async function openFiles(source: ModelSource, { signal }: CallOptions = {}): Promise<ModelFiles> {
    switch (source.kind) {
      case 'bundled': {
        if (!isBundled(source.id)) throw unknownModel(source.id);
        return bundledFiles(httpFiles(new URL(`${source.id}/`, modelsUrl), { id: source.id }), await store(), { signal });
      }
      case 'url':
        return storedFiles(httpFiles(source.url), await store());
      case 'hub': {
        const hub = openHub(source);
        return listedFiles(hub.files, hub.list, await store(), { signal });
      }
      case 'folder':
        throw new NvlmError('usage', 'A page cannot open a folder by its path.', 'Use a model by its address.');
    }
  }

  return { openFiles, store };
}

function unknownModel(id: string): NvlmError {
  return new NvlmError('not-found', `There is no bundled model "${id}".`, 'Choose one of the list on the Models screen.');
}
