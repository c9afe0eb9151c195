import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { goldenFolder } from '../../../tests/goldens/golden-files.ts';
import { openBackend } from '../../../tests/support/backends.ts';
import type { Device } from '../../device/types.ts';
import { openModelFolder } from '../../weights/model-folder.ts';
import { nodeFiles } from '../../weights/node-files.ts';
import { Session } from './session.ts';

let device: Device;
beforeAll(async () => {
  device = await openBackend('wasm');
});
afterAll(() => device.dispose());

// In both, later rows read the picture through cross-attention, wherever the shared beginning of two conversations ends.
it.each(['nvlm-x', 'nvlm-h'])('%s answers a question without a picture as if it had never seen one', async (name) => {
  const open = async () => Session.open(await openModelFolder(nodeFiles(goldenFolder(name))), device);
  const picture = await readFile(join(goldenFolder('data'), '2.png'));
  const ask = async (session: Session, image: Uint8Array | null) => {
    const messages = [{ role: 'user' as const, content: 'What is the total?' }];
    return (await session.chat({ messages, image, sampling: { temperature: 0 }, maxNewTokens: 8 })).ids;
  };
  const fresh = await open();
  const expected = await ask(fresh, null);
  fresh.dispose();
  const used = await open();
  const seen = await ask(used, picture);
  expect(await ask(used, null)).toEqual(expected);
  expect(await ask(used, picture)).toEqual(seen);
  expect(seen).not.toEqual(expected);
  used.dispose();
});
