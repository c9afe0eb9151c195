/** A small file. Revalidated: one from an older visit beside new weights would make a broken model. */
export const wholeRequest: RequestInit = { cache: 'no-cache' };

/** Bytes [start, end) of a large file; to its end where that is left out. What is to be kept is stored by who asks. */
export function rangeRequest(start: number, end?: number): RequestInit {
  return { headers: { Range: `bytes=${start}-${end === undefined ? '' : end - 1}` }, cache: 'no-store' };
}

export interface AnsweredRange {
  start: number;
  /** Of the whole file; null where the server does not say. */
  total: number | null;
}

/** What a response says it is a part of; null where it does not, or hides it from pages. */
export function answeredRange({ headers }: Response): AnsweredRange | null {
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('Content-Range') ?? '') ?? [];
  return start === undefined ? null : { start: Number(start), total: total === '*' ? null : Number(total) };
}

/** Bytes [start, end) that a request asks for; null for one that asks for all. */
export function requestedRange(init: RequestInit | undefined): [start: number, end: number] | null {
  const [, start, last] = /^bytes=(\d+)-(\d+)$/.exec(new Headers(init?.headers).get('Range') ?? '') ?? [];
  return start === undefined ? null : [Number(start), Number(last) + 1];
}
