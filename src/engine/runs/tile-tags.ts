import type { RunConfig } from '../../training/run-config.ts';
import type { ModelFolder } from '../../weights/model-folder.ts';
import { checkSpan, type ModelFiles } from '../../weights/source.ts';

const CONFIG = 'config.json';

/** The folder as if its config.json named tiles as the run wants them: what is exported of it says so too. */
export function withTileTags(folder: ModelFolder, { tileTags }: Pick<RunConfig, 'tileTags'>): ModelFolder {
  if (tileTags === null) return folder;
  const config = { ...folder.config, tile_tags: tileTags };
  const bytes = new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`);
  const { files } = folder;
  const changed: ModelFiles = {
    ...files,
    size: async (path, signal) => (path === CONFIG ? bytes.length : files.size(path, signal)),
    async read(path, start, end, signal) {
      if (path !== CONFIG) return files.read(path, start, end, signal);
      checkSpan(path, start, end);
      return bytes.slice(start, end);
    },
    readAll: async (path, maxBytes, signal) => (path === CONFIG ? bytes.slice() : files.readAll(path, maxBytes, signal)),
  };
  return { ...folder, config, files: changed };
}
