import { ForwardBody } from './forward-body.ts';
import { requestedRange } from './http-requests.ts';

/** A request that was made before anybody asked for its answer. */
export interface BegunRequest {
  url: string;
  /** A small file asked for as a whole, or a large one from its beginning on ('bytes=0-') that will be read in parts. */
  init: RequestInit;
  response: Promise<Response>;
  stop: AbortController;
}

/** What a begun request brought, for whoever asks now; null when it is no answer to that. */
type Answer = (init: RequestInit | undefined) => Promise<Response | null>;

/**
 * Answers to requests that were begun while the script that reads them was still on its way. {@link HeadStart.fetch} gives each to the
 * first who asks for that file, and asks the server for everything else. What came is trusted no more for it: whoever reads it checks it.
 * A request that failed is made again by the one who wants the file, and fails there as it always has; of a body no more is in memory
 * than the browser takes in before it is read.
 */
export class HeadStart {
  private readonly answers: Map<string, Answer>;

  constructor(
    private readonly begun: readonly BegunRequest[],
    private readonly ask: typeof fetch = (input, init) => globalThis.fetch(input, init),
  ) {
    this.answers = new Map(begun.map((one) => [one.url, new Headers(one.init.headers).has('Range') ? this.inParts(one) : this.whole(one)]));
  }

  /** As the global one. */
  readonly fetch: typeof fetch = async (input, init) => (await this.answers.get(String(input))?.(init)) ?? this.ask(input, init);

  /** Lets go of what nobody has asked for, or has read to its end. */
  end(): void {
    this.answers.clear();
    for (const { stop } of this.begun) stop.abort();
  }

  private whole({ url, response, stop }: BegunRequest): Answer {
    const arrived = response.catch(() => null);
    return async (init) => (isGet(init) && this.answers.delete(url) ? endWith(init?.signal, stop, arrived) : null);
  }

  private inParts({ url, response, stop }: BegunRequest): Answer {
    const arrived = response.catch(() => null);
    const body = arrived.then((first) => first && ForwardBody.of(first, stop));
    return async (init) => {
      const file = await body;
      if (!isGet(init)) return file?.head() ?? null;
      const range = requestedRange(init);
      if (file) return range && file.part(...range, init?.signal);
      if (!this.answers.delete(url)) return null;
      // A server without Range sends all of a file to whoever asks for a part of it.
      if ((await arrived)?.status === 200) return endWith(init?.signal, stop, arrived);
      stop.abort();
      return null;
    };
  }
}

function isGet(init: RequestInit | undefined): boolean {
  return (init?.method ?? 'GET') === 'GET';
}

/** A response that is handed on as it is ends with its reader's signal. */
function endWith<T>(signal: AbortSignal | null | undefined, stop: AbortController, response: T): T {
  if (signal?.aborted) stop.abort();
  signal?.addEventListener('abort', () => stop.abort(), { once: true });
  return response;
}
