import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseSafetensors } from '../../src/weights/safetensors.ts';
import { fixture, runJson } from './run-cli.ts';

interface Share {
  owner: string;
  tile?: number;
  share: number;
}

it('nvlm inside prints where an answer came from, and writes the tensors of the goldens under their names', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nvlm-inside-'));
  try {
    const model = fixture('goldens/nvlm-h');
    const output = join(folder, 'new', 'out.safetensors');
    const image = fixture('goldens/data/0.png');
    const args = ['inside', '--model', model, '--image', image, '--prompt', 'What colour is the square?'];
    const { code, document } = await runJson<{
      ids: number[];
      tokens: { id: number; p: number; alternatives: { id: number; p: number }[]; looked: { self: Share[]; cross: Share[] } }[];
      gates: { layer: number; gate: number }[];
      tileWorth: { tile: number; thumbnail: boolean; tokens: number[] }[];
    }>([...args, '--max-new-tokens', '24', '--output', output, '--backend', 'wasm']);
    expect(code).toBe(0);
    const chats = JSON.parse(await readFile(join(model, 'chat.json'), 'utf8')) as { ids: number[] }[];
    expect(document.ids).toEqual(chats[0]!.ids);

    const read = async (path: string) => parseSafetensors(await readFile(path), path);
    const [got, expected] = [await read(output), await read(join(model, 'inside', '0.safetensors'))];
    for (const [name, { shape, dtype }] of expected) expect({ name, ...got.get(name) }).toMatchObject({ name, shape, dtype });

    for (const { id, p, alternatives, looked } of document.tokens) {
      // Greedy: what was said is the likeliest.
      expect(alternatives[0]).toMatchObject({ id, p });
      for (const shares of [looked.self, looked.cross]) {
        expect(shares.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 4);
      }
      expect(looked.self.map(({ owner }) => owner)).toContain('thumbnail');
      expect(looked.cross.map(({ owner }) => owner)).toEqual(['tag', 'tile', 'tile', 'tile']);
    }
    expect(document.gates.map(({ layer }) => layer)).toEqual([1, 3]);
    expect(document.tileWorth.map(({ thumbnail }) => thumbnail)).toEqual([false, false, false, true]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
