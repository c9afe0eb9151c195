import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { deskExamples } from '../../src/desk/examples.ts';
import { decodeImage } from '../../src/tiling/decode.ts';
import { digestOf } from '../support/digest.ts';
import { expect, test } from './fixtures.ts';

const FILES = ['photo-420.jpg', 'exif-6.jpg', 'cmyk.jpg', 'lossy.webp', 'lossless-alpha.webp', 'animated.webp', 'rgb-16bit.png'];

test('a worker decodes pictures to the pixels that Node decodes', async ({ harness }) => {
  for (const name of FILES) {
    const file = await readFile(fileURLToPath(new URL(`../fixtures/tiling/files/${name}`, import.meta.url)));
    const wanted = await digestOf([(await decodeImage(new Uint8Array(file))).data]);
    const got = await harness.evaluate((bytes) => window.harness.worker.decodedDigest(bytes), [...file]);
    expect(got, name).toBe(wanted);
  }
});

test('page and worker draw the examples that Node draws', async ({ harness }) => {
  const wanted = await digestOf(deskExamples().map((example) => example.draw().data));
  expect(await harness.evaluate(() => window.harness.page.examplesDigest())).toBe(wanted);
  expect(await harness.evaluate(() => window.harness.worker.examplesDigest())).toBe(wanted);
});
