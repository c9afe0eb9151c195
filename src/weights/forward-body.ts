import { answeredRange } from './http-requests.ts';

/**
 * One long answer, all of a file from its first byte, as answers to the requests for parts of it that follow each other. The body is
 * read no further than those are.
 */
export class ForwardBody {
  /** Where in the file the next part begins. */
  private position = 0;
  /** Received, and beyond the part that it came for. */
  private rest: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  private readonly reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  /** A part is being read, or one was left half-way: nothing follows it then. */
  private busy = false;

  private constructor(
    private readonly response: Response,
    private readonly total: number,
    private readonly stop: AbortController,
  ) {
    this.reader = response.body!.getReader();
    this.reader.closed.catch(() => undefined);
  }

  /** @returns null for what is not a file of known length from its first byte, as it is */
  static of(response: Response, stop: AbortController): ForwardBody | null {
    const range = response.status === 206 && !response.headers.has('Content-Encoding') ? answeredRange(response) : null;
    return range?.start === 0 && range.total !== null && response.body ? new ForwardBody(response, range.total, stop) : null;
  }

  /** The answer to HEAD. */
  head(): Response {
    const headers = new Headers(this.response.headers);
    headers.delete('Content-Range');
    headers.set('Content-Length', String(this.total));
    return new Response(null, { headers });
  }

  /** The answer to a request for [start, end); null when that is not what comes next. */
  part(start: number, end: number, signal?: AbortSignal | null): Response | null {
    if (this.busy || start !== this.position || start >= this.total || signal?.aborted) return null;
    const until = Math.min(end, this.total);
    this.busy = true;
    const leave = () => {
      if (this.busy) this.stop.abort();
    };
    signal?.addEventListener('abort', leave, { once: true });
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        pull: async (controller) => {
          const bytes = await this.next(until - this.position);
          if (bytes) {
            this.position += bytes.length;
            controller.enqueue(bytes);
          }
          if (bytes && this.position < until) return;
          // One that ended early is not gone on with.
          this.busy = this.position < until;
          controller.close();
        },
        cancel: leave,
      },
      { highWaterMark: 0 },
    );
    const headers = new Headers(this.response.headers);
    headers.set('Content-Range', `bytes ${start}-${until - 1}/${this.total}`);
    headers.set('Content-Length', String(until - start));
    return new Response(body, { status: 206, headers });
  }

  private async next(most: number): Promise<Uint8Array<ArrayBuffer> | null> {
    const bytes = this.rest.length > 0 ? this.rest : ((await this.reader.read()).value ?? null);
    this.rest = bytes?.subarray(most) ?? new Uint8Array(0);
    return bytes?.subarray(0, most) ?? null;
  }
}
