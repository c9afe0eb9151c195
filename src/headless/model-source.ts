import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { BUNDLED_MODELS, isBundled } from '../engine/bundled-models.ts';
import type { ModelSource } from '../engine/api.ts';
import { NvlmError } from '../errors.ts';
import { httpFiles } from '../weights/http-files.ts';
import type { ModelFiles } from '../weights/source.ts';

export const MODEL_HELP = 'bundled id, folder, address, or Hugging Face id (org/name, org/name@revision)';

const HUB_ID = /^([A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*)(?:@([\w./-]+))?$/;

/** Where Hugging Face models come from: `HF_ENDPOINT` names a mirror, as in Hugging Face's own tools. */
function hub(): URL {
  return new URL(process.env['HF_ENDPOINT'] || 'https://huggingface.co');
}

/**
 * What `--model` names. A bundled id comes before a folder of the same name (`./nano-d` is the folder), a folder before
 * a Hugging Face id.
 * @throws NvlmError `not-found`
 */
export async function modelSource(name: string): Promise<ModelSource> {
  if (isBundled(name)) return { kind: 'bundled', id: name };
  if (/^https?:\/\//i.test(name)) return { kind: 'url', url: addressOf(name) };
  const found = await stat(name).catch(() => null);
  if (found?.isDirectory()) return { kind: 'folder', path: resolve(name) };
  const [, repository, revision = 'main'] = HUB_ID.exec(name) ?? [];
  if (repository && !found) return { kind: 'url', url: hubFolder(repository, revision) };
  const bundled = BUNDLED_MODELS.map(({ id }) => id).join(', ');
  throw new NvlmError(
    'not-found',
    found ? `"${name}" is a file, not a model folder.` : `There is no model "${name}".`,
    `Give a bundled model (${bundled}), a folder, an address, or a Hugging Face id such as nvidia/NVLM-D-72B.`,
  );
}

function hubFolder(repository: string, revision: string): string {
  return new URL(`${repository}/resolve/${encodeURIComponent(revision)}/`, hub()).href;
}

/** The address of a model's page on Hugging Face stands for its files. */
function addressOf(name: string): string {
  if (!URL.canParse(name))
    throw new NvlmError('usage', `"${name}" is not an address.`, 'Give it as https://host/folder.');
  const url = new URL(name);
  const page = /^\/([^/]+\/[^/]+)(?:\/tree\/([^/]+))?\/?$/.exec(url.pathname);
  return page && url.origin === hub().origin ? hubFolder(page[1]!, decodeURIComponent(page[2] ?? 'main')) : name;
}

/** Files behind an address; Hugging Face, and nobody else, is shown the user's token. */
export function remoteFiles(url: string): ModelFiles {
  const token = process.env['HF_TOKEN'];
  if (!token || new URL(url).origin !== hub().origin) return httpFiles(url);
  return httpFiles(url, {
    fetch: (input, init) => {
      const headers = new Headers(init?.headers);
      headers.set('Authorization', `Bearer ${token}`);
      return fetch(input, { ...init, headers });
    },
  });
}
