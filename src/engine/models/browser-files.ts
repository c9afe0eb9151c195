import { NvlmError } from '../../errors.ts';
import type { Folder } from '../../files/folder.ts';
import { openPageFolder } from '../../files/open-folder.ts';
import { fileAt, filesBelow, hasPrivateStorage, PRIVATE_FOLDERS, privateFolder } from '../../files/private-storage.ts';
import { blobFiles, type PickedFile } from '../../weights/blob-files.ts';
import { httpFiles } from '../../weights/http-files.ts';
import { openHub, type HubOptions } from '../../weights/hub.ts';
import type { ModelFiles } from '../../weights/source.ts';
import { bundledFiles, listedFiles } from '../../weights/listed-files.ts';
import { openStore } from '../../files/blobs/open-store.ts';
import type { BlobStore } from '../../files/blobs/store.ts';
import { storedFiles } from '../../weights/stored-files.ts';
import type { ModelSource } from '../api.ts';
import { bundledFolder, isBundled } from './bundled-models.ts';
import { modelAddress } from './model-address.ts';
import { storageFolder } from './model-records.ts';
import type { EnginePlatform, OpenFilesOptions } from '../platform.ts';

/**
 * Models over HTTP, kept in the browser's storage.
 *
 * @param modelsUrl where the bundled models' folders lie, with a closing slash
 * @param fetch asks for the files of bundled models; default: the global one
 */
export function browserFiles(modelsUrl: URL, fetch?: typeof globalThis.fetch): Pick<EnginePlatform, 'hub' | 'openFiles' | 'store'> {
  let opened: Promise<BlobStore> | undefined;
  const store = () => (opened ??= openStore());
  const hub: HubOptions = {
    lockedHint: (page, token) =>
      token
        ? `Accept the licence on its page, ${page}, and check that the token may read it.`
        : `Accept the licence on its page, ${page}, then give a token on the Models screen.`,
  };

  async function openFiles(source: ModelSource, { signal, onWarning }: OpenFilesOptions = {}): Promise<ModelFiles> {
    switch (source.kind) {
      case 'bundled': {
        if (!isBundled(source.id)) throw unknownModel(source.id);
        const files = httpFiles(bundledFolder(source.id, modelsUrl), { id: source.id, ...(fetch && { fetch }) });
        return bundledFiles(files, await store(), { signal, onWarning });
      }
      case 'url':
        return storedFiles(httpFiles(source.url, { id: storageFolder(source) }), await store(), { onWarning });
      case 'hub': {
        const { files, list } = openHub(source, hub);
        return listedFiles(files, list, await store(), { signal, onWarning });
      }
      case 'files':
        return blobFiles(source.files, modelAddress(source));
      case 'run':
        return blobFiles(await filesOfRun(source.id), modelAddress(source));
      case 'folder':
        throw new NvlmError('usage', 'A page cannot open a folder by its path.', 'Use a model by its address.');
    }
  }

  return { hub, openFiles, store };
}

function unknownModel(id: string): NvlmError {
  return new NvlmError('not-found', `There is no bundled model "${id}".`, 'Choose one of the list on the Models screen.');
}

/** The tuned model of a run, where runs keep it: in the origin private file system, or where {@link openPageFolder} put it instead. */
async function filesOfRun(id: string): Promise<PickedFile[]> {
  try {
    if (!hasPrivateStorage()) return await filesIn(await openPageFolder(), `runs/${id}/model`);
    const open = privateFolder(PRIVATE_FOLDERS.page);
    let folder = await open();
    const names = ['runs', id, 'model'];
    for (const name of names) folder = await folder.getDirectoryHandle(name);
    const files: PickedFile[] = [];
    for await (const path of filesBelow(folder)) {
      const blob = await fileAt(open, [...names, path].join('/'));
      if (blob) files.push({ path, blob });
    }
    return files;
  } catch (cause) {
    throw new NvlmError(
      'not-found',
      `There is no finished model of the run ${id} in this browser.`,
      'Let the run finish, or choose another model.',
      { cause },
    );
  }
}

async function filesIn(folder: Folder, path: string): Promise<PickedFile[]> {
  const listed = await folder.list(path);
  if (listed.length === 0) throw new Error(`${path} is empty`);
  return Promise.all(
    listed.map(async (file) => ({
      path: file.path.slice(path.length + 1),
      blob: new Blob([(await folder.read(file.path)) as Uint8Array<ArrayBuffer>]),
    })),
  );
}
