import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { InspectionJson } from '../../src/engine/inspect/inspection-json.ts';
import { decodeImage } from '../../src/tiling/decode.ts';
import { fixture, runCli, runJson } from './run-cli.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nvlm-inspect-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Largest difference of two PNG files' pixels. */
async function difference(a: string, b: string): Promise<number> {
  const [x, y] = await Promise.all([a, b].map(async (path) => decodeImage(new Uint8Array(await readFile(path)))));
  expect([x!.width, x!.height]).toEqual([y!.width, y!.height]);
  return x!.data.reduce((most, value, i) => Math.max(most, Math.abs(value - y!.data[i]!)), 0);
}

describe('nvlm inspect', () => {
  it.each(['wide', 'small-square'])('cuts %s into the reference tiles', async (name) => {
    const golden = fixture(`tiling/goldens/${name}`);
    const expected = JSON.parse(await readFile(join(golden, 'expected.json'), 'utf8')) as {
      tileSize: number;
      maxTiles: number;
      grid: [number, number];
      tiles: number;
    };
    const dump = join(folder, name);
    const sizes = ['--tile-size', String(expected.tileSize), '--max-tiles', String(expected.maxTiles)];
    const { code, document } = await runJson<InspectionJson>(['inspect', join(golden, 'image.png'), ...sizes, '--dump-tiles', dump]);
    expect(code).toBe(0);
    expect([document.grid.cols, document.grid.rows]).toEqual(expected.grid);
    expect(document.tiles).toHaveLength(expected.tiles);
    const tiles = (await readdir(golden)).filter((file) => /^(tile_\d+|thumbnail)\.png$/.test(file));
    expect((await readdir(dump)).sort()).toEqual(tiles.sort());
    for (const tile of tiles) expect(await difference(join(dump, tile), join(golden, tile)), tile).toBeLessThanOrEqual(1);
  });

  it('prints the document of the contract, at NVLM-1.0 72B unless told otherwise', async () => {
    const image = fixture('tiling/goldens/wide/image.png');
    const { document } = await runJson<InspectionJson>(['inspect', image]);
    expect(Object.keys(document)).toEqual(['image', 'grid', 'candidates', 'canvas', 'tiles', 'tokens', 'architectures']);
    expect(document.image).toEqual({ width: 500, height: 180 });
    expect(document.canvas).toEqual({ width: 3 * 448, height: 448 });
    expect(document.tokens).toEqual({ perTile: 256, visual: 4 * 256, tags: 4 * 5 });
    expect(Object.keys(document.architectures)).toEqual(['D', 'X', 'H']);
    expect(document.candidates.filter(({ chosen }) => chosen)).toHaveLength(1);
    expect(document.tiles.map(({ thumbnail }) => thumbnail)).toEqual([false, false, false, true]);
  });

  it('takes sizes and tokenizer of a model, in any folder, and prints one architecture for people', async () => {
    const image = fixture('tiling/goldens/wide/image.png');
    const { code, stdout } = await runCli(['inspect', image, '--model', 'nano-d', '--tags', '2d-grid', '--arch', 'X'], {
      cwd: folder,
    });
    expect(code).toBe(0);
    expect(stdout).toContain('tiles of 112 pixels');
    expect(stdout).toContain('NVLM-X');
    expect(stdout).not.toContain('NVLM-D ');
  });
});
