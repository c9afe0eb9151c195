import { NvlmError } from '../errors.ts';
import { endpointUrl } from './hub-address.ts';
import { hubFetch, type HubOptions } from './hub.ts';
import { httpTransport, readBody } from './http-transport.ts';
import { isJsonObject, parseStrictJson, type JsonValue } from './strict-json.ts';

/** A repository as the hub's search lists it; null where the hub does not say. */
export interface FoundRepository {
  repository: string;
  downloads: number;
  likes: number;
  gated: boolean;
  /** Numbers of its safetensors files by format, e.g. `{ BF16: 938193024 }`. */
  tensors: Record<string, number> | null;
  modelType: string | null;
}

const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
const REPOSITORY = /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/;

/**
 * Asks the hub's public API for repositories with safetensors whose names hold `query`, most downloaded first.
 * @throws NvlmError `network`, `cancelled`
 */
export async function searchRepositories(
  query: string,
  options: HubOptions & { limit: number; signal?: AbortSignal },
): Promise<FoundRepository[]> {
  const base = endpointUrl(options.endpoint);
  const url = new URL('api/models', base);
  const asked = { search: query, filter: 'safetensors', sort: 'downloads', direction: '-1', limit: String(options.limit) };
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
  for (const field of ['downloads', 'likes', 'gated', 'safetensors', 'config']) url.searchParams.append('expand[]', field);
  // Somebody waits before a list that grows old with every key: one more attempt, not the patience of a download.
  const retry = { attempts: 2, stallMs: 10_000 };
  const { request, patiently } = httpTransport(base.host, { fetch: hubFetch(options), retry });
  const broken = () => new NvlmError('network', `${base.host} sent no usable list.`, 'Try again later, or give the id itself.');
  return patiently(
    'The list of models',
    () => 0,
    options.signal,
    async () => {
      const body = await request(url, { headers: { Accept: 'application/json' } }, options.signal);
      try {
        const { ok, status } = body.response;
        if (!ok) throw new NvlmError('network', `${base.host} refused the search (${status}).`, 'Try again later, or give the id itself.');
        const bytes = await readBody(body, MAX_ANSWER_BYTES, broken, options.signal);
        const list = parseStrictJson(new TextDecoder().decode(bytes), 'The list of models');
        if (!Array.isArray(list)) throw broken();
        return list.map(foundIn).filter((found) => found !== null);
      } finally {
        body.close();
      }
    },
  );
}

function foundIn(item: JsonValue): FoundRepository | null {
  if (!isJsonObject(item) || typeof item.id !== 'string' || !REPOSITORY.test(item.id)) return null;
  const counts = isJsonObject(item.safetensors) ? item.safetensors.parameters : undefined;
  const modelType = isJsonObject(item.config) ? item.config.model_type : undefined;
  return {
    repository: item.id,
    downloads: count(item.downloads) ?? 0,
    likes: count(item.likes) ?? 0,
    gated: item.gated === 'auto' || item.gated === 'manual' || item.gated === true,
    tensors: isJsonObject(counts) ? countsOf(counts) : null,
    modelType: typeof modelType === 'string' ? modelType : null,
  };
}

function countsOf(counts: Record<string, JsonValue>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(counts).flatMap(([format, value]) => {
      const known = count(value);
      return known === null ? [] : [[format, known]];
    }),
  );
}

function count(value: JsonValue | undefined): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}
