import { fileURLToPath } from 'node:url';
import { nodePlatform } from '../device/node.ts';
import type { ModelSource } from '../engine/api.ts';
import type { EnginePlatform } from '../engine/platform.ts';
import { nodeFiles } from '../weights/node-files.ts';
import type { ModelFiles } from '../weights/source.ts';
import { remoteFiles } from './model-source.ts';

/** The engine in Node: models are read where they lie, on disk or behind an address, and nothing is kept. */
export function nodeEnginePlatform(): EnginePlatform {
  return {
    device: nodePlatform(),
    openFiles: async (source) => openFiles(source),
    store: async () => null,
  };
}

export function openFiles(source: ModelSource): ModelFiles {
  switch (source.kind) {
    case 'bundled':
      return nodeFiles(fileURLToPath(new URL(`../../public/models/${source.id}`, import.meta.url)), source.id);
    case 'folder':
      return nodeFiles(source.path);
    case 'url':
      return remoteFiles(source.url);
  }
}
