import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { NOTICE_BYTES, pictureNotice } from './picture-notice.ts';

const read = (name: string) => new Uint8Array(readFileSync(new URL(`../../tests/fixtures/tiling/files/${name}`, import.meta.url)));

it('tells of grey of 16 bits alone, by the first bytes', () => {
  expect(pictureNotice(read('grey-16bit.png').subarray(0, NOTICE_BYTES))).toContain('save it with 8 bits');
  for (const name of ['grey.png', 'grey-4bit.png', 'grey-alpha.png', 'grey.jpg']) expect(pictureNotice(read(name)), name).toBeNull();
  for (const bytes of [[], [137, 80, 78, 71]]) expect(pictureNotice(Uint8Array.from(bytes))).toBeNull();
});
