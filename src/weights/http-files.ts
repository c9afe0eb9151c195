import { NvlmError, throwIfAborted } from '../errors.ts';
import { unlessAborted } from './back-off.ts';
import { checkFilePath } from './file-path.ts';
import { answeredRange, rangeRequest, wholeRequest } from './http-requests.ts';
import type { Body, HttpOptions } from './http-transport.ts';
import { Transient, httpTransport, readBody, statedLength } from './http-transport.ts';
import type { ModelFiles, Span } from './source.ts';
import { checkSpan, fileTooLarge, missingFile, takeTurns } from './source.ts';

export interface HttpFilesOptions extends HttpOptions {
  /** Names the model in storage; default: made from the address. */
  id?: string;
  /** What to do about 401 and 403. */
  lockedFix?: string;
}

/** What is known of one file on the server. */
interface RemoteFile {
  size?: number | null;
  etag: string | null;
  lastModified: string | null;
  /**
   * Whether the server answers Range requests; null until the first read. Without, the file is read in one forward
   * pass.
   */
  ranges: boolean | null;
  /**
   * Where the server sent Range requests on to. Hubs redirect each to another host with an address that holds for a
   * while; going there at once saves a round trip, and the hub's limit on requests.
   */
  moved: URL | null;
  pass: SinglePass | null;
  /** Reads wait for each other until Range is known to work: the first finds out, and a single pass has one place. */
  queue: Promise<unknown>;
}

/** Bytes of a file coming in, read forwards. */
interface Incoming {
  body: Body;
  /** Where in the file `rest` begins. */
  position: number;
  /** Where in the file it ends, as far as that is known. */
  end: number;
  /** Received, not yet taken. */
  rest: Uint8Array;
}

/** The whole file. */
interface SinglePass extends Incoming {
  /** A read is taking from it. */
  busy: boolean;
  /** Signals that end this pass when they fire. */
  signals: WeakSet<AbortSignal>;
}

function beginPass(body: Body): SinglePass {
  return { body, position: 0, end: Infinity, rest: new Uint8Array(0), busy: false, signals: new WeakSet() };
}

/** A read under way, kept over all its attempts. */
interface ReadJob {
  path: string;
  start: number;
  out: Uint8Array;
  /** Bytes of `out` that have come. */
  done: number;
  signal: AbortSignal | undefined;
}

/** Bytes between two spans that cost less than another request. */
const WORTHLESS_GAP = 2 ** 20;

/** Where the request that brings span `index` ends: before the first gap that is worth skipping. */
function runEnd(spans: readonly Span[], index: number): number {
  let last = index;
  while (last + 1 < spans.length && spans[last + 1]!.start - spans[last]!.end <= WORTHLESS_GAP) last++;
  return spans[last]!.end;
}

const OTHER_SOURCE = 'Try another mirror, or download the folder and open it from disk.';

/** The file is there, and the server does not say how long it is; whoever has a list of files may know. */
export class UnknownSize extends NvlmError {
  constructor(host: string, path: string) {
    super(
      'network',
      `${host} does not say how long ${path} is.`,
      'Use a server that sends Content-Length, or download the folder and open it from disk.',
    );
  }
}

function pathOf(base: URL): string {
  return `${base.host}${base.pathname}`
    .replace(/\/$/, '')
    .replace(/[^A-Za-z0-9._/-]/g, '_')
    .replace(/\/{2,}/g, '/');
}

/**
 * A model folder behind an address. Reads are Range requests, and a stream is one for all of its spans; a server without Range is read in one forward pass a file
 * instead. Lost, stalled and cut connections, 408, 429 and 5xx are tried again with growing pauses, from the byte where
 * they broke off; a file whose ETag changes on the way is refused. Cancelling ends the request at once.
 * @param baseUrl the folder's address; a query (for signed addresses) is kept on every file's address and out of all
 * messages
 */
export function httpFiles(baseUrl: string | URL, options: HttpFilesOptions = {}): ModelFiles {
  const base = new URL(baseUrl);
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  const { request, patiently } = httpTransport(base.host, options);
  const id = options.id ?? pathOf(base);
  const known = new Map<string, RemoteFile>();
  /** Streams without Range wait for each other. */
  let passes: Promise<unknown> = Promise.resolve();

  function remote(path: string): RemoteFile {
    let file = known.get(path);
    if (!file)
      known.set(path, (file = { etag: null, lastModified: null, ranges: null, moved: null, pass: null, queue: Promise.resolve() }));
    return file;
  }

  function addressOf(path: string): URL {
    const url = new URL(base);
    url.pathname += checkFilePath(path).split('/').map(encodeURIComponent).join('/');
    return url;
  }

  function refused(path: string, status: number): NvlmError {
    const locked = status === 401 || status === 403;
    return new NvlmError(
      'network',
      `${base.host} refused ${path} (${status}).`,
      locked
        ? (options.lockedFix ?? 'The model is private or gated: use a copy that you may read.')
        : 'Check the address, or try another mirror.',
    );
  }

  /** Development servers answer a missing file with their page. */
  function isAbsent(path: string, response: Response): boolean {
    if (response.status === 404 || response.status === 410) return true;
    return /^text\/html\b/i.test(response.headers.get('Content-Type') ?? '') && !/\.html?$/i.test(path);
  }

  function changed(path: string): NvlmError {
    return new NvlmError(
      'corrupt-file',
      `${path} changed on ${base.host} while it was being read.`,
      'Load the model again to get the new version.',
    );
  }

  /** Holds every answer about a file to the first one: by ETag, by date where there is none. */
  function checkVersion(path: string, file: RemoteFile, { headers }: Response): void {
    const etag = headers.get('ETag');
    const lastModified = headers.get('Last-Modified');
    const [before, now] = file.etag === null && etag === null ? [file.lastModified, lastModified] : [file.etag, etag];
    if (before !== null && now !== null && now !== before) throw changed(path);
    file.etag ??= etag;
    file.lastModified ??= lastModified;
  }

  function checkAnswer(path: string, file: RemoteFile, response: Response): void {
    if (isAbsent(path, response)) throw missingFile(path, base.host);
    if (!response.ok) throw refused(path, response.status);
    checkVersion(path, file, response);
  }

  async function askSize(path: string, file: RemoteFile, signal?: AbortSignal): Promise<number | null> {
    // Revalidated: a browser's cache may answer for a file that has changed since.
    const head = await request(addressOf(path), { method: 'HEAD', cache: 'no-cache' }, signal);
    head.close();
    if (isAbsent(path, head.response)) return null;
    const length = head.response.ok ? statedLength(head.response) : null;
    if (length !== null) {
      checkVersion(path, file, head.response);
      return length;
    }
    // Some servers know no HEAD, or state no length there.
    const probe = await request(addressOf(path), rangeRequest(0, 1), signal);
    probe.close();
    if (isAbsent(path, probe.response)) return null;
    if (probe.response.status !== 416) checkAnswer(path, file, probe.response);
    const total = answeredRange(probe.response)?.total ?? null;
    if (probe.response.status === 206 && total !== null) return total;
    if (probe.response.status === 416) return 0;
    const whole = probe.response.status === 200 ? statedLength(probe.response) : null;
    if (whole !== null) return whole;
    throw new UnknownSize(base.host, path);
  }

  async function size(path: string, signal?: AbortSignal): Promise<number | null> {
    const file = remote(checkFilePath(path));
    file.size ??= await patiently(
      path,
      () => 0,
      signal,
      () => askSize(path, file, signal),
    );
    return file.size;
  }

  async function version(path: string, signal?: AbortSignal): Promise<string | null> {
    await size(path, signal);
    const { etag, lastModified } = remote(path);
    // A weak ETag stands for bytes that are only as good as the same.
    if (etag !== null && !etag.startsWith('W/')) return `etag ${etag}`;
    return lastModified === null ? null : `changed ${lastModified}`;
  }

  /** Fills the job from a body that holds exactly what it lacks; one that brings more is refused. */
  async function fill(body: Body, job: ReadJob): Promise<void> {
    const { path, out, signal } = job;
    // Waiting for the stated end keeps the connection usable for the next read.
    const endIsNear = statedLength(body.response) === out.length - job.done;
    while (job.done < out.length || endIsNear) {
      const piece = await body.next(signal);
      if (piece === null) break;
      if (job.done + piece.length > out.length) {
        throw new NvlmError('corrupt-file', `${base.host} sent more of ${path} than was asked for.`, OTHER_SOURCE);
      }
      out.set(piece, job.done);
      job.done += piece.length;
    }
    if (job.done < out.length) throw new Transient('the connection broke off');
  }

  /**
   * A Range request for [from, end).
   * @returns the body of exactly these bytes, or null when the server ignores or refuses Range
   */
  async function askRange(path: string, file: RemoteFile, from: number, end: number, signal?: AbortSignal): Promise<Body | null> {
    const { moved } = file;
    let body = await request(moved ?? addressOf(path), rangeRequest(from, end), signal);
    if (moved && !body.response.ok) {
      // It has expired.
      body.close();
      if (file.moved === moved) file.moved = null;
      body = await request(addressOf(path), rangeRequest(from, end), signal);
    }
    const { response } = body;
    let isWanted = false;
    try {
      if (response.redirected && URL.canParse(response.url)) file.moved = new URL(response.url);
      if (response.status !== 416) checkAnswer(path, file, response);
      if (response.status !== 206) {
        // Other reads of this file may be under way side by side, which a single pass does not bear.
        if (file.ranges) throw new Transient('the server stopped answering Range requests');
        // Inside the file's known length 416 is a server that cannot do ranges; it may still send the whole.
        if (response.status === 416) return null;
        file.pass = beginPass(body);
        isWanted = true;
        return null;
      }
      // Content-Range is hidden from pages unless the server exposes it; where it is seen it must be what was asked
      // for.
      const answered = answeredRange(response);
      if (Number.isInteger(file.size) && (answered?.total ?? file.size) !== file.size) throw changed(path);
      if (answered && answered.start !== from) {
        throw new NvlmError('corrupt-file', `${base.host} sent another part of ${path} than was asked for.`, OTHER_SOURCE);
      }
      file.ranges = true;
      isWanted = true;
      return body;
    } finally {
      if (!isWanted) body.close();
    }
  }

  /** One Range request for what is still missing; false when the server ignores or refuses Range. */
  async function readRange(file: RemoteFile, job: ReadJob): Promise<boolean> {
    const { path, start, out, signal } = job;
    const body = await askRange(path, file, start + job.done, start + out.length, signal);
    if (!body) return false;
    try {
      await fill(body, job);
      return true;
    } finally {
      body.close();
    }
  }

  function endPass(file: RemoteFile): void {
    file.pass?.body.close();
    file.pass = null;
  }

  /** Reads on in what is coming in, over what lies before the job. */
  async function take(from: Incoming, job: ReadJob): Promise<void> {
    const { path, out, signal } = job;
    while (job.done < out.length) {
      if (from.rest.length === 0) {
        const piece = await from.body.next(signal);
        if (piece === null) throw new Transient('the connection broke off');
        if (from.position + piece.length > from.end) {
          throw new NvlmError('corrupt-file', `${base.host} sent more of ${path} than was asked for.`, OTHER_SOURCE);
        }
        from.rest = piece;
      }
      const skip = Math.min(from.rest.length, job.start + job.done - from.position);
      const part = from.rest.subarray(skip, skip + out.length - job.done);
      out.set(part, job.done);
      job.done += part.length;
      from.position += skip + part.length;
      from.rest = from.rest.subarray(skip + part.length);
    }
  }

  /** Waits for the stated end of what has all come: that keeps the connection usable for the next request. */
  async function endOf(from: Incoming, { path, signal }: ReadJob): Promise<void> {
    if (statedLength(from.body.response) === null) return;
    const more = await from.body.next(signal).catch(() => null);
    if (more) throw new NvlmError('corrupt-file', `${base.host} sent more of ${path} than was asked for.`, OTHER_SOURCE);
  }

  /** Reads on in the file's single pass; begins anew when the wanted bytes have gone by. */
  async function readOnePass(file: RemoteFile, job: ReadJob): Promise<void> {
    const { path, signal } = job;
    if (file.pass && file.pass.position > job.start + job.done) endPass(file);
    if (!file.pass) {
      const body = await request(addressOf(path), { cache: 'no-store' }, signal);
      try {
        checkAnswer(path, file, body.response);
      } catch (error) {
        body.close();
        throw error;
      }
      file.pass = beginPass(body);
    }
    const { pass } = file;
    pass.busy = true;
    // Browsers allow a host few connections; passes over other shards that nobody reads from would use them up.
    for (const other of known.values()) if (other !== file && !other.pass?.busy) endPass(other);
    if (signal && !pass.signals.has(signal)) {
      // Between two reads nobody watches the body; without this a reader that left would keep the connection.
      pass.signals.add(signal);
      signal.addEventListener('abort', () => file.pass === pass && endPass(file), { once: true });
    }
    try {
      await take(pass, job);
    } catch (error) {
      endPass(file);
      throw error;
    } finally {
      pass.busy = false;
    }
  }

  async function runJob(file: RemoteFile, job: ReadJob): Promise<Uint8Array> {
    await patiently(
      job.path,
      () => job.done,
      job.signal,
      async () => {
        if (file.ranges !== false) {
          if (await readRange(file, job)) return;
          file.ranges = false;
        }
        await readOnePass(file, job);
      },
    );
    return job.out;
  }

  async function read(path: string, start: number, end: number, signal?: AbortSignal): Promise<Uint8Array> {
    checkSpan(path, start, end);
    const file = remote(checkFilePath(path));
    throwIfAborted(signal);
    if (start === end) return new Uint8Array(0);
    const job: ReadJob = { path, start, out: new Uint8Array(end - start), done: 0, signal };
    if (file.ranges) return runJob(file, job);
    const turn = file.queue;
    const mine = unlessAborted(turn, signal).then(() => runJob(file, job));
    // The next in line waits for this one and for those before it, even when this one has been cancelled.
    file.queue = Promise.allSettled([turn, mine]);
    return mine;
  }

  /** One request for as many spans as lie close together, resumed from the byte where it broke off. */
  async function* stream(path: string, spans: readonly Span[], signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    for (const { start, end } of spans) checkSpan(path, start, end);
    const file = remote(checkFilePath(path));
    // A reader that leaves ends what is under way.
    const left = new AbortController();
    const ends = signal ? AbortSignal.any([signal, left.signal]) : left.signal;
    let run: Incoming | null = null;
    let leavePasses: (() => void) | null = null;
    const endRun = () => {
      run?.body.close();
      run = null;
    };

    async function bring(index: number, memory: ArrayBuffer): Promise<Uint8Array> {
      const { start, end } = spans[index]!;
      // The first read finds out whether there are ranges; reads wait for it.
      if (file.ranges === null) return read(path, start, end, ends);
      const job: ReadJob = { path, start, out: new Uint8Array(memory, 0, end - start), done: 0, signal: ends };
      await patiently(
        path,
        () => job.done,
        ends,
        async () => {
          // Passes over several files would keep ending each other's.
          if (file.ranges === false) {
            leavePasses ??= await passTurn(ends);
            return readOnePass(file, job);
          }
          const from = start + job.done;
          if (run && (run.position > from || run.end < end)) endRun();
          if (!run) {
            const wantedEnd = runEnd(spans, index);
            const body = await askRange(path, file, from, wantedEnd, ends);
            if (!body) throw new Transient('the server stopped answering Range requests');
            run = { body, position: from, end: wantedEnd, rest: new Uint8Array(0) };
          }
          try {
            await take(run, job);
            if (run.position === run.end) await endOf(run, job);
          } catch (error) {
            endRun();
            throw error;
          }
        },
      );
      return job.out;
    }

    try {
      yield* takeTurns(spans, bring);
    } finally {
      left.abort();
      endRun();
      (leavePasses as (() => void) | null)?.();
    }
  }

  /** Waits until no other stream is in a single pass. @returns what ends the turn */
  async function passTurn(signal?: AbortSignal): Promise<() => void> {
    const before = passes;
    let leave = (): void => undefined;
    passes = Promise.all([before, new Promise<void>((resolve) => (leave = resolve))]);
    try {
      await unlessAborted(before, signal);
    } catch (error) {
      leave();
      throw error;
    }
    return leave;
  }

  async function readWhole(path: string, maxBytes: number, signal?: AbortSignal): Promise<Uint8Array | null> {
    const body = await request(addressOf(path), wholeRequest, signal);
    try {
      const { response } = body;
      if (isAbsent(path, response)) return null;
      if (!response.ok) throw refused(path, response.status);
      const bytes = await readBody(body, maxBytes, () => fileTooLarge(path, maxBytes), signal);
      // Known now, for whoever stores it.
      const file = remote(path);
      file.size = bytes.length;
      file.etag = response.headers.get('ETag');
      file.lastModified = response.headers.get('Last-Modified');
      return bytes;
    } finally {
      body.close();
    }
  }

  return {
    id,
    size,
    version,
    read,
    stream,
    readAll: (path, maxBytes, signal) =>
      patiently(
        path,
        () => 0,
        signal,
        () => readWhole(path, maxBytes, signal),
      ),
    finish(path) {
      const file = known.get(path);
      if (file) endPass(file);
      return Promise.resolve();
    },
    close() {
      for (const file of known.values()) endPass(file);
      return Promise.resolve();
    },
    isStored: () => false,
  };
}
