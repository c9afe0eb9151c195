import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { goldenFolder } from '../../../tests/goldens/golden-files.ts';
import { openBackend } from '../../../tests/support/backends.ts';
import { Session } from '../../engine/chat/session.ts';
import { openTextSide, planConversation } from '../../engine/chat/text-side.ts';
import { tilePicture } from '../../engine/chat/tile-picture.ts';
import { inspectPicture } from '../../engine/inspect/inspect.ts';
import { geometryOfModel } from '../../engine/inspect/geometries.ts';
import { planMemory } from '../../engine/models/memory-plan.ts';
import { openModelFolder } from '../../weights/model-folder.ts';
import { nodeFiles } from '../../weights/node-files.ts';
import type { Family } from './family.ts';
import { FAMILIES } from './list.ts';

/** A fourth architecture: D with the thumbnail first. All there is of it is this description and its line in the list. */
vi.mock('./list.ts', async (original) => {
  const list = await original<typeof import('./list.ts')>();
  const { nvlmD } = await import('./nvlm-d/family.ts');
  const thumbnailFirst: Family = {
    ...nvlmD,
    id: 'nvlm-t',
    title: 'NVLM-T',
    words: 'Decoder only, the thumbnail before the tiles.',
    letter: 'T',
    recognises: (config) => config.string('architecture', '') === 'NVLM_T',
    parse(config, processor) {
      const parsed = nvlmD.parse(config, processor);
      return { ...parsed, tiler: { ...parsed.tiler, thumbnailPlace: 'first' } };
    },
    synthetic: {},
  };
  return {
    ...list,
    FAMILIES: [...list.FAMILIES, thumbnailFirst],
    familyOf: (config: Parameters<typeof list.familyOf>[0]) => (thumbnailFirst.recognises(config) ? thumbnailFirst : list.familyOf(config)),
  };
});

const picture = { width: 90, height: 60, data: Uint8Array.from({ length: 90 * 60 * 3 }, (_, i) => (i * 7) % 251) };

describe('a fourth architecture', () => {
  it('plans, answers and is compared, by its description alone', async () => {
    const folder = await openModelFolder(nodeFiles(goldenFolder('nvlm-d')));
    folder.config.architecture = 'NVLM_T';
    const text = openTextSide(folder);
    const tiling = tilePicture(picture, text.config, null);
    expect(tiling.tiles.map(({ thumbnail }) => thumbnail)).toEqual([true, ...new Array(6).fill(false)]);
    expect(tiling.tiles.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    const plan = planConversation(text, [{ role: 'user', content: 'Hi' }], [tiling], true);
    const tags = plan.segments.filter(({ kind }) => kind === 'tag').map((segment) => segment.text);
    expect(tags).toEqual(['<tile_global_thumbnail>', '<tile_1>', '<tile_2>', '<tile_3>', '<tile_4>', '<tile_5>', '<tile_6>']);

    const geometry = geometryOfModel({ id: 't', title: 'T', ...text });
    const { architectures, plans } = inspectPicture(picture, geometry);
    expect(architectures.map(({ letter }) => letter)).toEqual(['D', 'X', 'H', 'T']);
    expect(plans['T']!.inputIds).toEqual(plans.D.inputIds);

    const device = await openBackend('cpu');
    try {
      expect(planMemory(folder, device.info).about.family).toMatchObject({ id: 'nvlm-t', title: 'NVLM-T' });
      const session = await Session.open(folder, device);
      const { encodePng } = await import('../../tiling/encode-png.ts');
      const image = await encodePng(picture);
      const ask = { messages: [{ role: 'user' as const, content: 'Hi' }], image, sampling: { temperature: 0 }, maxNewTokens: 2 };
      const { usage } = await session.chat(ask);
      expect(usage).toMatchObject({ promptTokens: plan.inputIds.length, visualTokens: 7 * 4, completionTokens: 2 });
      session.dispose();
    } finally {
      await device.dispose();
    }
  });
});

describe('the list', () => {
  it('has ids and synthetic models of its own for every family', () => {
    const ids = FAMILIES.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const shapes = FAMILIES.flatMap(({ synthetic }) => Object.keys(synthetic));
    expect(new Set(shapes).size).toBe(shapes.length);
  });

  it('is the only way to a family: no other code compares with the name of one', () => {
    const names = /(===|!==|\bcase|includes\(|startsWith\()\s*['"](NVLM_|nvlm-[a-z]\b|internvl|InternVL|smolvlm|SmolVLM|idefics)/;
    const root = join(import.meta.dirname, '../..');
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
      (file) => /\.tsx?$/.test(file) && !/\.test\.tsx?$/.test(file),
    );
    expect(files.length).toBeGreaterThan(300);
    const comparing = files
      .filter((file) => !file.startsWith('nvlm/families/'))
      .filter((file) => names.test(readFileSync(join(root, file), 'utf8')));
    expect(comparing).toEqual([]);
  });
});
