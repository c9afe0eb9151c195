import { NvlmError } from '../../errors.ts';
import { hubId, parseHubAddress, parseHubId } from '../../weights/hub-address.ts';
import type { ModelSource } from '../api.ts';

/**
 * A source in one line: what names a model in the page's address, in messages and in lists. A bundled model's is its id;
 * tokens never stand in it.
 */
export function modelAddress(source: ModelSource): string {
  switch (source.kind) {
    case 'bundled':
      return source.id;
    case 'url':
      return `url:${source.url}`;
    case 'hub':
      return `hf:${hubId(source)}`;
    case 'run':
      return `run:${source.id}`;
    case 'files':
      return `files:${source.name}`;
    case 'folder':
      return source.path;
  }
}

/** The source of a {@link modelAddress} that says where the files are; null for ids, folders and anything else. */
export function parseModelAddress(address: string): ModelSource | null {
  const [, kind, rest = ''] = /^(hf|url|run):(.+)$/.exec(address) ?? [];
  if (kind === 'run') return /^[\w-]{1,100}$/.test(rest) ? { kind, id: rest } : null;
  if (kind === 'url') return isWebAddress(rest) ? { kind, url: rest } : null;
  const model = kind === 'hf' ? parseHubId(rest) : null;
  return model && { kind: 'hub', ...model };
}

/**
 * What somebody typed or pasted: `org/name`, `org/name@revision`, a model's page on the hub, or the address of a folder.
 * @throws NvlmError `usage`
 */
export function sourceFromText(text: string): ModelSource {
  const typed = text.trim();
  const model = parseHubId(typed);
  if (model) return { kind: 'hub', ...model };
  if (!isWebAddress(typed)) {
    throw new NvlmError(
      'usage',
      'That is neither a Hugging Face id nor the address of a folder.',
      'Give org/name, org/name@revision, or https://host/folder with config.json in it.',
    );
  }
  const url = new URL(typed);
  if (url.username !== '' || url.password !== '') {
    throw new NvlmError('usage', 'The address holds a name and a password.', 'Leave them out: addresses are shown and kept.');
  }
  // The address of one of the files stands for their folder.
  const folder = typed.replace(/\/(?:config\.json|model[\w.-]*\.safetensors(?:\.index\.json)?)(?=$|\?)/, '/');
  const page = parseHubAddress(folder);
  return page ? { kind: 'hub', ...page } : { kind: 'url', url: folder };
}

function isWebAddress(text: string): boolean {
  return /^https?:\/\//i.test(text) && URL.canParse(text) && text.length <= 2000;
}

/** What people call it: the last part of its name. */
export function modelTitle(source: ModelSource): string {
  const name = source.kind === 'url' ? new URL(source.url).pathname : modelAddress(source);
  return (
    name
      .replace(/^(?:hf|run|files):/, '')
      .split(/[\\/]/)
      .filter(Boolean)
      .at(-1) ?? name
  );
}
