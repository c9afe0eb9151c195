import { expose } from '../src/bridge/expose.ts';
import { serve } from '../src/bridge/serve.ts';
import type { Exclusive } from '../src/datasets/dataset-store.ts';
import { DatasetLibrary } from '../src/datasets/library.ts';
import { browserFiles } from '../src/engine/models/browser-files.ts';
import type { Folder } from '../src/files/folder.ts';
import { MemoryFolder } from '../src/files/memory-folder.ts';
import { openPageFolder } from '../src/files/open-folder.ts';
import { Locks } from '../src/files/web-locks.ts';
import { DATA_METHODS } from './data-api.ts';
import { createDataService } from './data-service.ts';

// As in the engine's worker.
const modelsUrl = new URL('../models/', location.href);

/** Over all tabs. */
const locks = new Locks();
const exclusive: Exclusive = (name, work) => locks.exclusively(`nvlm-data-${name}`, work);

// The worker must listen before the first message comes, and opening the storage takes a moment.
const opened = openPageFolder();
const folder: Folder = {
  read: async (path) => (await opened).read(path),
  write: async (path, bytes) => (await opened).write(path, bytes),
  append: async (path, text) => (await opened).append(path, text),
  writeParts: async (path, parts) => (await opened).writeParts(path, parts),
  list: async (path) => (await opened).list(path),
  remove: async (path) => (await opened).remove(path),
};
const lasts = async () => !((await opened) instanceof MemoryFolder);
expose(serve(createDataService(new DatasetLibrary(folder, exclusive), browserFiles(modelsUrl), lasts), DATA_METHODS));
