/** Whole answers against the reference implementations: the same prompt ids, the same greedy ids and text, on every backend. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../src/device/types.ts';
import { planConversation, Session } from '../../src/engine/session.ts';
import { decodeImage } from '../../src/tiling/decode.ts';
import { tileImage } from '../../src/tiling/tile-image.ts';
import { openModelFolder } from '../../src/weights/model-folder.ts';
import { nodeFiles } from '../../src/weights/node-files.ts';
import { allBackends, openBackend } from '../support/backends.ts';
import { goldenFolder } from './golden-files.ts';

interface GoldenChat {
  image: string | null;
  prompt: string;
  promptIds: number[];
  maxNewTokens: number;
  ids: number[];
  text: string;
}

async function goldenChats(folder: string): Promise<(GoldenChat & { bytes: Uint8Array | null })[]> {
  const chats = JSON.parse(await readFile(join(folder, 'chat.json'), 'utf8')) as GoldenChat[];
  return Promise.all(
    chats.map(async (chat) => ({ ...chat, bytes: chat.image ? await readFile(join(folder, chat.image)) : null })),
  );
}

describe.each(allBackends)('chat on %s', (backend) => {
  let device: Device;
  beforeAll(async () => {
    device = await openBackend(backend);
  });
  afterAll(async () => {
    await device.dispose();
  });

  it.each(['nvlm-d', 'nvlm-x', 'nvlm-h'])('%s answers as the reference does', async (name) => {
    const folder = goldenFolder(name);
    const session = await Session.open(await openModelFolder(nodeFiles(folder)), device);
    try {
      for (const { prompt, promptIds, maxNewTokens, ids, text, bytes } of await goldenChats(folder)) {
        const { tileSize, maxTiles, useThumbnail, tagFormat } = session.config;
        const tiling = bytes && tileImage(await decodeImage(bytes), { tileSize, maxTiles, useThumbnail }, tagFormat);
        const plan = planConversation(session.text!, [{ role: 'user', content: prompt }], tiling, true);
        expect([...plan.inputIds]).toEqual(promptIds);

        const result = await session.chat({
          messages: [{ role: 'user', content: prompt }],
          image: bytes,
          sampling: { temperature: 0 },
          maxNewTokens,
        });
        expect(result.ids).toEqual(ids);
        expect(result.text).toBe(text);
      }
    } finally {
      session.dispose();
    }
  });
});
