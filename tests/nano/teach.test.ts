import { expect, it } from 'vitest';
import { openFiles } from '../../src/headless/node-platform.ts';
import { openModelFolder } from '../../src/weights/model-folder.ts';
import { openBackend } from '../support/backends.ts';
import { SMALL_LESSON, teachRing } from '../support/teach-nano.ts';

it('nano-d learns the word "ring" from some pictures and still tells the shapes that it knew', async () => {
  const device = await openBackend('wasm');
  const folder = await openModelFolder(await openFiles({ kind: 'bundled', id: 'nano-d' }));
  const { before, after } = await teachRing(folder, device, SMALL_LESSON);
  expect(before).toMatchObject({ ring: 0 });
  expect(before.neighbour).toBeGreaterThan(0.9);
  expect(after.ring).toBeGreaterThanOrEqual(0.8);
  // Else every shape would be a ring now.
  expect(after.neighbour).toBeGreaterThanOrEqual(0.7);
  await device.dispose();
}, 240_000);
