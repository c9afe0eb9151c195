import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
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

it('computes of a follow-up question only what is new: neither the picture nor the conversation before', async () => {
  const session = await Session.open(await openModelFolder(nodeFiles(goldenFolder('nvlm-h'))), device);
  const picture = await readFile(join(goldenFolder('data'), '2.png'));
  const held: number[] = [];
  const { prefill } = session.model;
  vi.spyOn(session.model, 'prefill').mockImplementation((samples, cache, rows) => {
    held.push(cache!.lengths[0]!);
    return prefill.call(session.model, samples, cache, rows) as never;
  });
  const stages: string[] = [];
  const ask = (image: Uint8Array, earlier: { role: 'user' | 'assistant'; content: string }[] = []) => {
    const messages = [...earlier, { role: 'user' as const, content: 'What is the total?' }];
    const request = { messages, image, sampling: { temperature: 0 }, maxNewTokens: 4 };
    return session.chat(request, {
      onEvent: (event) => void (event.type === 'stage' && event.stage !== 'decode' && stages.push(event.stage)),
    });
  };
  const { text, usage } = await ask(picture);
  stages.length = 0;
  await ask(picture.slice(), [
    { role: 'user', content: 'What is the total?' },
    { role: 'assistant', content: text },
  ]);
  expect([...new Set(stages)]).toEqual(['prefill']);
  expect(held[0]).toBe(0);
  expect(held[1]).toBeGreaterThanOrEqual(usage.promptTokens);
  // Of the same length, but another one.
  const other = Uint8Array.from(picture);
  other[other.length - 1]! ^= 1;
  stages.length = 0;
  await ask(other).catch(() => undefined);
  expect(stages[0]).toBe('image');
  session.dispose();
});
