import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { modelSource, remoteFiles } from './model-source.ts';

afterEach(() => vi.unstubAllEnvs());

describe('modelSource', () => {
  it.each([
    ['nano-d', { kind: 'bundled', id: 'nano-d' }],
    ['nvidia/NVLM-D-72B', { kind: 'url', url: 'https://huggingface.co/nvidia/NVLM-D-72B/resolve/main/' }],
    ['org/name@v1.0', { kind: 'url', url: 'https://huggingface.co/org/name/resolve/v1.0/' }],
    ['org/name@refs/pr/3', { kind: 'url', url: 'https://huggingface.co/org/name/resolve/refs%2Fpr%2F3/' }],
    ['https://huggingface.co/org/name', { kind: 'url', url: 'https://huggingface.co/org/name/resolve/main/' }],
    ['https://huggingface.co/org/name/tree/dev', { kind: 'url', url: 'https://huggingface.co/org/name/resolve/dev/' }],
    ['https://host/a/model?key=1', { kind: 'url', url: 'https://host/a/model?key=1' }],
  ])('%s', async (name, source) => {
    vi.stubEnv('HF_ENDPOINT', '');
    expect(await modelSource(name)).toEqual(source);
  });

  it('takes a folder before a Hugging Face id of the same name', async () => {
    expect(await modelSource('src/headless')).toEqual({ kind: 'folder', path: `${process.cwd()}/src/headless` });
  });

  it.each(['nano-z', '/no/such/folder', './none', 'package.json', 'a/b/c'])(
    'refuses %s with what can be given',
    async (name) => {
      await expect(modelSource(name)).rejects.toMatchObject({
        code: 'not-found',
        fix: expect.stringContaining('nano-d'),
      });
    },
  );
});

describe('the Hugging Face token', () => {
  let hub: Server;
  let other: Server;
  const seen = new Map<Server, IncomingMessage['headers'][]>();
  const address = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  beforeAll(async () => {
    [hub, other] = (await Promise.all(
      [0, 1].map(
        () =>
          new Promise<Server>((resolve) => {
            const server: Server = createServer((request, response) => {
              seen.set(server, [...(seen.get(server) ?? []), request.headers]);
              // As the hub does: large files lie on another host.
              if (request.url?.endsWith('big.bin'))
                response.writeHead(302, { Location: `${address(other)}/big` }).end();
              else response.end('{}');
            }).listen(0, '127.0.0.1', () => resolve(server));
          }),
      ),
    )) as [Server, Server];
  });
  afterAll(() => {
    hub.close();
    other.close();
  });

  it('goes to the hub alone, not to where it redirects and to no other address', async () => {
    vi.stubEnv('HF_ENDPOINT', address(hub));
    vi.stubEnv('HF_TOKEN', 'hf_secret');
    const source = await modelSource('org/name');
    const url = source.kind === 'url' ? source.url : '';
    await remoteFiles(url).readAll('config.json', 100);
    await remoteFiles(url).readAll('big.bin', 100);
    await remoteFiles(`${address(other)}/model/`).readAll('config.json', 100);
    expect(seen.get(hub)!.length).toBeGreaterThan(0);
    for (const headers of seen.get(hub)!) expect(headers.authorization).toBe('Bearer hf_secret');
    expect(seen.get(other)!.length).toBeGreaterThan(1);
    for (const headers of seen.get(other)!) expect(headers.authorization).toBeUndefined();
  });
});
