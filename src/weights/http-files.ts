import { NvlmError, throwIfAborted } from '../errors.ts';
import { unlessAborted } from './back-off.ts';
import { checkFilePath } from './file-path.ts';
import type { Body, HttpOptions } from './http-transport.ts';
import { Transient, httpTransport, readBody, statedLength } from './http-transport.ts';
import type { ModelFiles } from './source.ts';
import { checkSpan, fileTooLarge, missingFile } from './source.ts';

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

/** A whole file coming in, read forwards. */
interface SinglePass {
  body: Body;
  position: number;
  /** Received, not yet taken. */
  rest: Uint8Array;
  /** A read is taking from it. */
  busy: boolean;
  /** Signals that end this pass when they fire. */
  signals: WeakSet<AbortSignal>;
}

function beginPass(body: Body): SinglePass {
  return { body, position: 0, rest: new Uint8Array(0), busy: false, signals: new WeakSet() };
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
 * A model folder behind an address. Reads are Range requests; a server without Range is read in one forward pass a file
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
    const probe = await request(addressOf(path), { headers: { Range: 'bytes=0-0' } }, signal);
    probe.close();
    if (isAbsent(path, probe.response)) return null;
    if (probe.response.status !== 416) checkAnswer(path, file, probe.response);
    const total = /\/(\d+)$/.exec(probe.response.headers.get('Content-Range') ?? '')?.[1];
    if (probe.response.status === 206 && total !== undefined) return Number(total);
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

  /** One Range request for what is still missing; false when the server ignores or refuses Range. */
  async function readRange(file: RemoteFile, job: ReadJob): Promise<boolean> {
    const { path, out, signal } = job;
    const from = job.start + job.done;
    const headers = { Range: `bytes=${from}-${job.start + out.length - 1}` };
    const { moved } = file;
    let body = await request(moved ?? addressOf(path), { headers, cache: 'no-store' }, signal);
    if (moved && !body.response.ok) {
      // It has expired.
      body.close();
      if (file.moved === moved) file.moved = null;
      body = await request(addressOf(path), { headers, cache: 'no-store' }, signal);
    }
    const { response } = body;
    try {
      if (response.redirected && URL.canParse(response.url)) file.moved = new URL(response.url);
      if (response.status !== 416) checkAnswer(path, file, response);
      if (response.status !== 206) {
        // Other reads of this file may be under way side by side, which a single pass does not bear.
        if (file.ranges) throw new Transient('the server stopped answering Range requests');
        // Inside the file's known length 416 is a server that cannot do ranges; it may still send the whole.
        if (response.status === 416) return false;
        file.pass = beginPass(body);
        return false;
      }
      // Content-Range is hidden from pages unless the server exposes it; where it is seen it must be what was asked
      // for.
      const [, begin, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('Content-Range') ?? '') ?? [];
      if (Number.isInteger(file.size) && /^\d+$/.test(total ?? '') && Number(total) !== file.size) throw changed(path);
      if (begin !== undefined && Number(begin) !== from) {
        throw new NvlmError('corrupt-file', `${base.host} sent another part of ${path} than was asked for.`, OTHER_SOURCE);
      }
      file.ranges = true;
      await fill(body, job);
      return true;
    } finally {
      if (file.pass?.body !== body) body.close();
    }
  }

  function endPass(file: RemoteFile): void {
    file.pass?.body.close();
    file.pass = null;
  }

  /** Reads on in the file's single pass; begins anew when the wanted bytes have gone by. */
  async function readOnePass(file: RemoteFile, job: ReadJob): Promise<void> {
    const { path, out, signal } = job;
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
      while (job.done < out.length) {
        if (pass.rest.length === 0) {
          const piece = await pass.body.next(signal);
          if (piece === null) throw new Transient('the connection broke off');
          pass.rest = piece;
        }
        const skip = Math.min(pass.rest.length, job.start + job.done - pass.position);
        const take = pass.rest.subarray(skip, skip + out.length - job.done);
        out.set(take, job.done);
        job.done += take.length;
        pass.position += skip + take.length;
        pass.rest = pass.rest.subarray(skip + take.length);
      }
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

  async function readWhole(path: string, maxBytes: number, signal?: AbortSignal): Promise<Uint8Array | null> {
    // Revalidated: a small file from an older visit beside new weights would make a broken model.
    const body = await request(addressOf(path), { cache: 'no-cache' }, signal);
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
