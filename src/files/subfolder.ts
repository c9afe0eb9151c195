import { pathParts } from './file-path.ts';
import type { Folder } from './folder.ts';

/** A folder inside a folder, seen as one of its own. */
export function subfolder(folder: Folder, path: string): Folder {
  const prefix = `${pathParts(path).join('/')}/`;
  const inside = (name: string) => prefix + pathParts(name).join('/');
  return {
    read: async (name) => folder.read(inside(name)),
    write: async (name, bytes) => folder.write(inside(name), bytes),
    append: async (name, text) => folder.append(inside(name), text),
    writeParts: async (name, parts) => folder.writeParts(inside(name), parts),
    list: async (name) =>
      (await folder.list(name === undefined ? path : inside(name))).map((file) => ({
        ...file,
        path: file.path.slice(prefix.length),
      })),
    remove: async (name) => folder.remove(inside(name)),
  };
}
