import * as Comlink from 'comlink';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { NvlmError } from '../errors.ts';
import { PLAIN, type Methods } from './methods.ts';
import { movablesIn } from './movable.ts';
import type { CallService } from './protocol.ts';
import { createRemote } from './remote.ts';
import { serve } from './serve.ts';
import { watchDeafness } from './worker-host.ts';

interface Printer {
  print(pages: number, options?: { signal?: AbortSignal; onPage?: (page: Uint8Array) => unknown }): Promise<number>;
  hang(options?: { signal?: AbortSignal }): Promise<void>;
}
const METHODS: Methods<Printer> = { print: { moves: ['events'] }, hang: PLAIN };

const ports: MessagePort[] = [];
afterEach(() => ports.splice(0).forEach((port) => port.close()));

/** A worker without the thread. */
function hostOf(printer: Printer) {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  Comlink.expose(serve(printer, METHODS), port1);
  return { service: Comlink.wrap<CallService>(port2), died: new Promise<string>(() => undefined), terminate: () => undefined };
}

const lost = (why: string) => new NvlmError('internal', why, 'Try again.');

describe('the bridge', () => {
  it('makes a worker that waits for its callback wait for the page, moves the bytes, and passes a failed callback on', async () => {
    const log: string[] = [];
    const sent: Uint8Array[] = [];
    const printer: Printer = {
      async print(pages, { onPage } = {}) {
        for (let i = 0; i < pages; i++) {
          const page = new Uint8Array([i]);
          sent.push(page);
          log.push(`made ${i}`);
          await onPage!(page);
        }
        return pages;
      },
      hang: async () => undefined,
    };
    const { api } = createRemote<Printer>({ methods: METHODS, spawn: () => hostOf(printer), lost });
    const onPage = async ([page]: Uint8Array) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      log.push(`read ${page}`);
    };
    expect(await api.print(2, { onPage })).toBe(2);
    expect(log).toEqual(['made 0', 'read 0', 'made 1', 'read 1']);
    expect(sent.map(({ length }) => length)).toEqual([0, 0]);
    const jam = async () => {
      throw new Error('jam');
    };
    await expect(api.print(2, { onPage: jam })).rejects.toThrow('jam');
  });

  it('ends a worker that does not stop within its patience, and asks a fresh one next time', async () => {
    let spawned = 0;
    let ended = 0;
    const printer: Printer = { print: async (pages) => pages, hang: () => new Promise(() => undefined) };
    const spawn = () => {
      spawned++;
      return { ...hostOf(printer), terminate: () => void ended++ };
    };
    const { api } = createRemote<Printer>({ methods: METHODS, spawn, lost, patienceMs: 5 });
    const controller = new AbortController();
    const hanging = api.hang({ signal: controller.signal });
    setTimeout(() => controller.abort(), 5);
    await expect(hanging).rejects.toMatchObject({ code: 'cancelled' });
    expect([await api.print(1), spawned, ended]).toEqual([1, 2, 1]);
  });

  it('calls what is on the list and nothing else that the object has', async () => {
    const service = serve({ print: async () => 1, hang: async () => undefined, burn: async () => 1 } as Printer, METHODS);
    const ask = (method: string) => service.call({ id: 1, method, args: [], callbacks: [], cancellable: false });
    expect(await ask('print')).toEqual({ ok: true, value: 1 });
    expect(await ask('burn')).toMatchObject({ ok: false });
    expect(await ask('constructor')).toMatchObject({ ok: false });
  });

  it('answers only when the last event has arrived, then closes the port of the callback', async () => {
    const happened: string[] = [];
    const printer: Printer = {
      // Waits for no event.
      print: async (pages, { onPage } = {}) => (void onPage!(new Uint8Array(1)), pages),
      hang: async () => undefined,
    };
    const onPage = async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      happened.push('read');
    };
    Object.assign(onPage, { [Comlink.releaseProxy]: () => happened.push('closed') });
    const call = { id: 1, method: 'print', args: [1, {}], callbacks: ['onPage'], cancellable: false };
    expect(await serve(printer, METHODS).call(call, onPage)).toEqual({ ok: true, value: 1 });
    expect(happened).toEqual(['read', 'closed']);
  });

  it('cancels the call with that number and no other', async () => {
    const hang: Printer['hang'] = ({ signal } = {}) => new Promise((resolve) => signal!.addEventListener('abort', () => resolve()));
    const service = serve<Printer>({ print: async () => 1, hang }, METHODS);
    const stopped: number[] = [];
    const calls = [1, 2].map(async (id) => {
      await service.call({ id, method: 'hang', args: [{}], callbacks: [], cancellable: true });
      stopped.push(id);
    });
    for (const id of [3, 2, 1]) {
      service.cancel(id);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    // A call that nothing reaches would hang.
    await Promise.race([Promise.all(calls), new Promise((resolve) => setTimeout(resolve, 200))]);
    expect(stopped).toEqual([2, 1]);
  });

  it('moves whole buffers, and leaves those that others look into as well', () => {
    const whole = new Uint8Array(4);
    const part = new Uint8Array(8).subarray(2, 6);
    expect(movablesIn({ list: [whole, part, whole] })).toEqual([whole.buffer]);
  });
});

describe('a worker that says what it cannot be interrupted in', () => {
  afterEach(() => void vi.useRealTimers());

  it('is ended with what it hangs in, and left alone when it is done in time', async () => {
    vi.useFakeTimers();
    const why: string[] = [];
    const watch = watchDeafness((reason) => why.push(reason));
    watch({ what: 'a template', seconds: 5 });
    vi.advanceTimersByTime(4500);
    watch(null);
    vi.advanceTimersByTime(60_000);
    expect(why).toEqual([]);
    watch({ what: 'a template', seconds: 5 });
    vi.advanceTimersByTime(5000);
    expect(why).toEqual(['It did not come to an end with a template, so it was ended.']);
  });
});
