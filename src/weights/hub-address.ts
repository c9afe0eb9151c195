import { NvlmError } from '../errors.ts';

/** A model on Hugging Face or a mirror of it. */
export interface HubModel {
  /** `org/name` */
  repository: string;
  /** Branch, tag, commit or `refs/pr/3`. */
  revision: string;
}

const HUGGING_FACE = 'https://huggingface.co';
const NAME = '[A-Za-z0-9][\\w.-]{0,95}';
const HUB_ID = new RegExp(`^(${NAME}/${NAME})(?:@([\\w./-]{1,200}))?$`);
const HUB_PAGE = new RegExp(`^(${NAME}/${NAME})(?:/(?:tree|resolve)/([^/]+))?/?$`);

/** What `org/name` or `org/name@revision` names, or null for any other text. */
export function parseHubId(text: string): HubModel | null {
  const [, repository, revision = 'main'] = HUB_ID.exec(text) ?? [];
  if (!repository || revision.split('/').some((part) => part === '' || part === '.' || part === '..')) return null;
  return { repository, revision };
}

/** The model whose page, or folder of files, this address is; null for any other address. */
export function parseHubAddress(address: string, endpoint = HUGGING_FACE): HubModel | null {
  const base = endpointUrl(endpoint);
  const url = new URL(address);
  if (url.origin !== base.origin || !url.pathname.startsWith(base.pathname)) return null;
  const [, repository, revision = 'main'] = HUB_PAGE.exec(url.pathname.slice(base.pathname.length)) ?? [];
  try {
    return repository ? parseHubId(`${repository}@${decodeURIComponent(revision)}`) : null;
  } catch {
    return null;
  }
}

export function hubId({ repository, revision }: HubModel): string {
  return revision === 'main' ? repository : `${repository}@${revision}`;
}

/** Where a hub's repositories and its API lie, with a closing slash. @throws NvlmError `usage` */
export function endpointUrl(endpoint = HUGGING_FACE): URL {
  if (!/^https?:\/\//i.test(endpoint) || !URL.canParse(endpoint)) {
    throw new NvlmError('usage', 'The address of the model hub is not valid.', 'Give HF_ENDPOINT as https://host.');
  }
  const url = new URL(endpoint);
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}
