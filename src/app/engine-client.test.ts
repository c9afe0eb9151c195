import * as Comlink from 'comlink';
import { afterEach, describe, expect, it } from 'vitest';
import type { CallService } from '../bridge/protocol.ts';
import { serve } from '../bridge/serve.ts';
import type { WorkerHost } from '../bridge/worker-host.ts';
import { ENGINE_METHODS, type ChatEvent, type ChatRequest } from '../engine/api.ts';
import type { ModelRequest } from '../engine/engine-start.ts';
import { NvlmError } from '../errors.ts';
import { createEngineClient } from './engine-client.ts';
import { createFakeEngine, type FakeEngine } from './testing/fake-engine.ts';

const REQUEST: ChatRequest = {
  messages: [{ role: 'user', content: 'Hi!' }],
  image: null,
  sampling: { temperature: 0 },
  maxNewTokens: 8,
};

const HEAD_START: ModelRequest[] = [{ path: 'nano-d/config.json', init: {} }];

const ports: MessagePort[] = [];
afterEach(() => ports.splice(0).forEach((port) => port.close()));

/** The real service behind a real message channel, as in the browser, with nothing but the thread missing. */
function setUp() {
  const hosts: {
    engine: FakeEngine;
    die(why: string): void;
    terminated: boolean;
    tokens: (string | null)[];
    requests: readonly ModelRequest[];
  }[] = [];
  const client = createEngineClient(HEAD_START, (requests): WorkerHost => {
    const { port1, port2 } = new MessageChannel();
    ports.push(port1, port2);
    const tokens: (string | null)[] = [];
    const engine = Object.assign(createFakeEngine(), { useHubToken: async (token: string | null) => void tokens.push(token) });
    Comlink.expose(serve(engine, ENGINE_METHODS), port1);
    let die!: (why: string) => void;
    const died = new Promise<string>((resolve) => {
      die = resolve;
    });
    const record = { engine, die, terminated: false, tokens, requests };
    hosts.push(record);
    return { service: Comlink.wrap<CallService>(port2), died, terminate: () => void (record.terminated = true) };
  });
  return { client, hosts, engine: hosts[0]!.engine };
}

describe('engine client', () => {
  it('delivers every event before the result', async () => {
    const { client, engine } = setUp();
    engine.script = Array.from({ length: 50 }, (_, i) => `${i} `);
    const events: ChatEvent[] = [];
    const result = await client.chat(REQUEST, { onEvent: (event) => events.push(event) });
    const texts = events.filter((event) => event.type === 'token').map((event) => event.text);
    expect(texts.join('')).toBe(result.text);
    expect(texts).toHaveLength(50);
  });

  it('keeps code and fix line of an error', async () => {
    const { client, engine } = setUp();
    engine.failNext.chat = new NvlmError('prompt-too-long', 'Too long.', 'Shorten it.');
    await expect(client.chat(REQUEST)).rejects.toMatchObject({
      name: 'NvlmError',
      code: 'prompt-too-long',
      fix: 'Shorten it.',
    });
  });

  it('cancels the call whose signal fired and no other', async () => {
    const { client, engine } = setUp();
    let open!: () => void;
    engine.gate = new Promise((resolve) => (open = resolve));
    const controller = new AbortController();
    const stopped = client.chat(REQUEST, { signal: controller.signal });
    const other = client.chat(REQUEST);
    await expect.poll(() => engine.chats).toHaveLength(2);
    controller.abort();
    expect(await stopped).toMatchObject({ finishReason: 'cancelled', text: 'MI' });
    open();
    expect(await other).toMatchObject({ finishReason: 'stop', text: 'MILK' });
  });

  it('does not start a call that is cancelled already', async () => {
    const { client, engine } = setUp();
    await expect(client.chat(REQUEST, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
    expect(engine.chats).toHaveLength(0);
  });

  it('moves the pixels of an inspection and copies a view into a larger buffer', async () => {
    const { client, engine } = setUp();
    const canvas = { width: 1, height: 1, data: new Uint8Array(3) };
    const shared = { width: 1, height: 1, data: new Uint8Array(6).subarray(3) };
    engine.inspect = async () => ({ tiling: { canvas, tiles: [{ pixels: canvas }, { pixels: shared }] } }) as never;
    const { tiling } = await client.inspect({ image: new Uint8Array(1) });
    expect(tiling.canvas.data).toHaveLength(3);
    expect(tiling.tiles[1]!.pixels.data).toHaveLength(3);
    expect(canvas.data).toHaveLength(0);
    expect(shared.data).toHaveLength(3);
  });

  it('notices the death of its worker, rejects what waits and starts another', async () => {
    const { client, hosts, engine } = setUp();
    const deaths: NvlmError[] = [];
    client.onLost((error) => deaths.push(error));
    engine.gate = new Promise(() => undefined);
    const open = client.chat(REQUEST);
    const rejected = expect(open).rejects.toMatchObject({ code: 'engine-lost' });
    hosts[0]!.die('It said: out of memory');
    await rejected;
    expect(deaths.map((error) => error.message)).toEqual(["The engine's worker stopped. It said: out of memory"]);
    expect(hosts[0]!.terminated).toBe(true);
    expect(await client.chat(REQUEST)).toMatchObject({ text: 'MILK' });
    expect(hosts[1]!.engine.chats).toHaveLength(1);
  });

  it('is not alarmed by a worker that it ended itself', async () => {
    const { client, hosts } = setUp();
    const deaths: NvlmError[] = [];
    client.onLost((error) => deaths.push(error));
    client.restart();
    hosts[0]!.die('');
    expect(await client.device()).toMatchObject({ backend: 'wasm' });
    expect(deaths).toEqual([]);
    expect(hosts.map((host) => host.terminated)).toEqual([true, false]);
  });

  it('tells the hub token to every worker that comes', async () => {
    const { client, hosts } = setUp();
    await client.useHubToken('hf_secret');
    hosts[0]!.die('out of memory');
    await new Promise((resolve) => setTimeout(resolve));
    await client.device();
    expect(hosts.map(({ tokens }) => tokens)).toEqual([['hf_secret'], ['hf_secret']]);
  });

  it('has the first worker alone ask for what comes first', () => {
    const { client, hosts } = setUp();
    client.restart();
    expect(hosts.map(({ requests }) => requests)).toEqual([HEAD_START, []]);
  });
});
