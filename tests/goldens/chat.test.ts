/** Whole answers against the reference implementations: the same greedy ids and text, on every backend; the same prompt ids. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../src/device/types.ts';
import { openTextSide, planConversation } from '../../src/engine/chat/text-side.ts';
import { decodeImage } from '../../src/tiling/decode.ts';
import { tilePicture } from '../../src/engine/chat/tile-picture.ts';
import { openModelFolder } from '../../src/weights/model-folder.ts';
import { nodeFiles } from '../../src/weights/node-files.ts';
import { allBackends, openBackend } from '../support/backends.ts';
import { answerChats, type GoldenChat } from './check.ts';
import { goldenFolder } from './golden-files.ts';

const MODELS = ['nvlm-d', 'nvlm-x', 'nvlm-h'];

it.each(MODELS)('%s plans the prompt as the reference does', async (name) => {
  const folder = goldenFolder(name);
  const text = openTextSide(await openModelFolder(nodeFiles(folder)));
  const chats = JSON.parse(await readFile(join(folder, 'chat.json'), 'utf8')) as GoldenChat[];
  for (const { image, prompt, promptIds } of chats) {
    const picture = image && (await decodeImage(await readFile(join(folder, image))));
    const tiling = picture ? [tilePicture(picture, text.config, null)] : [];
    const plan = planConversation(text, [{ role: 'user', content: prompt }], tiling, true);
    expect([...plan.inputIds]).toEqual(promptIds);
  }
});

describe.each(allBackends)('chat on %s', (backend) => {
  let device: Device;
  beforeAll(async () => {
    device = await openBackend(backend);
  });
  afterAll(async () => {
    await device.dispose();
  });

  it.each(MODELS)('%s answers as the reference does', async (name) => {
    const folder = goldenFolder(name);
    const answers = await answerChats(nodeFiles(folder), device, (path) => readFile(join(folder, path)));
    expect(answers.length).toBeGreaterThan(2);
    for (const { got, expected } of answers) expect(got).toEqual({ ids: expected.ids, text: expected.text });
  });
});
