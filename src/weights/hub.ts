import { NvlmError } from '../errors.ts';
import { checkFilePath } from './file-path.ts';
import { withForeignTokenizer } from './foreign-tokenizer.ts';
import { httpFiles } from './http-files.ts';
import { endpointUrl, hubId, type HubModel } from './hub-address.ts';
import type { HttpOptions } from './http-transport.ts';
import { httpTransport, readBody } from './http-transport.ts';
import type { Manifest, ManifestEntry } from './manifest.ts';
import type { ModelFiles } from './source.ts';
import { isJsonObject, parseStrictJson, type JsonValue } from './strict-json.ts';

export interface HubOptions extends HttpOptions {
  /** Default: Hugging Face itself. */
  endpoint?: string;
  /** For private and gated repositories; sent to the endpoint's origin as a header, and never kept. */
  token?: string;
  /** What to do about a gated repository, when there is a better way to give a token than the environment. */
  lockedHint?: (page: string, token: string | undefined) => string;
}

/** The files of a hub model and the list that they can be checked against. */
export interface Hub {
  files: ModelFiles;
  /** @throws NvlmError `not-found`, `network`, `bad-model`, `cancelled` */
  list(signal?: AbortSignal): Promise<Manifest>;
}

const MAX_PAGE_BYTES = 4 * 1024 * 1024;
/** Of 1000 files each; model repositories have some dozens. */
const MAX_PAGES = 10;

/**
 * A fetch that shows the token to the hub and to nobody else. Browsers and Node drop the header themselves when the hub
 * redirects to another host, as it does for large files.
 * @throws NvlmError `usage` for a token that no header can carry: what the platform says of it would repeat it
 */
export function hubFetch({ endpoint, token: given, fetch: inner }: HubOptions): typeof fetch {
  const token = given?.trim();
  if (token && !/^[\x21-\x7e]+$/.test(token)) {
    throw new NvlmError('usage', 'The token for the hub holds characters that no token has.', 'Copy it again, alone and on one line.');
  }
  const fetchIt = inner ?? globalThis.fetch.bind(globalThis);
  const { origin } = endpointUrl(endpoint);
  return (input, init) => {
    const address = input instanceof Request ? input.url : input;
    if (!token || new URL(address).origin !== origin) return fetchIt(input, init);
    const headers = new Headers(init?.headers);
    headers.set('Authorization', `Bearer ${token}`);
    return fetchIt(input, { ...init, headers });
  };
}

function askForToken(page: string, token: string | undefined): string {
  return token
    ? `Accept its terms on ${page}, and check that the token may read it.`
    : `Accept its terms on ${page}, and give a token that may read it (HF_TOKEN).`;
}

/**
 * A hub's model, with its tokenizer where that lies in another repository of the hub.
 * @throws NvlmError `usage` for an endpoint that is no address
 */
export function openHub(model: HubModel, options: HubOptions = {}): Hub {
  return withForeignTokenizer(openRepository(model, options), (other) => openRepository(other, options));
}

function openRepository(model: HubModel, options: HubOptions): Hub {
  const base = endpointUrl(options.endpoint);
  const fetch = hubFetch(options);
  const { repository } = model;
  const revision = encodeURIComponent(model.revision);
  const page = `${base.host}${base.pathname}${repository}`;
  const tokenHint = (options.lockedHint ?? askForToken)(page, options.token);
  const files = httpFiles(new URL(`${repository}/resolve/${revision}/`, base), {
    id: `hub/${repository}/${model.revision}`,
    fetch,
    retry: options.retry,
    lockedFix: tokenHint,
  });
  const { request, patiently } = httpTransport(base.host, { fetch, retry: options.retry });

  async function listPage(url: URL, signal?: AbortSignal): Promise<{ entries: JsonValue; next: URL | null }> {
    const body = await request(url, { headers: { Accept: 'application/json' } }, signal);
    try {
      const { status, ok, headers } = body.response;
      if (!ok) throw refusal(status);
      const bytes = await readBody(body, MAX_PAGE_BYTES, broken, signal);
      const next = /<([^>]+)>\s*;\s*rel="?next"?/.exec(headers.get('Link') ?? '')?.[1];
      const entries = parseStrictJson(new TextDecoder().decode(bytes), `The list of files of ${hubId(model)}`);
      return { entries, next: next === undefined ? null : new URL(next, url) };
    } finally {
      body.close();
    }
  }

  function refusal(status: number): NvlmError {
    const name = hubId(model);
    if (status === 404) {
      return new NvlmError('not-found', `${base.host} has no model ${name}.`, 'Check the id and the revision.');
    }
    // The hub answers so for private repositories and for those that do not exist alike.
    const hidden = status === 401 || status === 403;
    return hidden
      ? new NvlmError('not-found', `${base.host} shows no model ${name} to you.`, `Check the id. ${tokenHint}`)
      : new NvlmError('network', `${base.host} refused the list of ${name} (${status}).`, 'Try again later.');
  }

  function broken(): NvlmError {
    return new NvlmError(
      'bad-model',
      `${base.host} sent no usable list of the files of ${hubId(model)}.`,
      'Check the address of the hub, or download the folder and open it from disk.',
    );
  }

  return {
    files,
    async list(signal) {
      const manifest = new Map<string, ManifestEntry>();
      let url: URL | null = new URL(`api/models/${repository}/tree/${revision}?recursive=1`, base);
      for (let pages = 0; url !== null; pages++) {
        // A list that never ends, or one that leads elsewhere, is not a hub's.
        if (pages === MAX_PAGES || url.origin !== base.origin) throw broken();
        const address: URL = url;
        const { entries, next } = await patiently(
          `the list of files of ${hubId(model)}`,
          () => 0,
          signal,
          () => listPage(address, signal),
        );
        if (!Array.isArray(entries)) throw broken();
        for (const item of entries) {
          const entry = entryOf(item);
          if (entry) manifest.set(entry.path, entry);
        }
        url = next;
      }
      if (manifest.size === 0) throw broken();
      return manifest;
    },
  };
}

/** Null for folders, and for files that no model needs: those with names that this loader does not take. */
function entryOf(item: JsonValue): ManifestEntry | null {
  if (!isJsonObject(item) || item.type !== 'file') return null;
  const lfs = isJsonObject(item.lfs) ? item.lfs : null;
  const { path } = item;
  // Large files are pointers in git: their own size and sha256 stand with the pointer's.
  const size = lfs ? lfs.size : item.size;
  const hash = lfs ? lfs.oid : item.oid;
  if (!isSize(size) || typeof hash !== 'string' || !/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(hash)) return null;
  try {
    return { path: checkFilePath(path), size, hash };
  } catch {
    return null;
  }
}

function isSize(value: JsonValue | undefined): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
