import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { goldenFolder } from '../../../tests/goldens/golden-files.ts';
import { openBackend } from '../../../tests/support/backends.ts';
import { parseConfig } from '../../nvlm/parse-config.ts';
import { loadWeights } from '../../nvlm/load-weights.ts';
import { parameterSpecs } from '../../nvlm/names.ts';
import { openModelFolder } from '../../weights/model-folder.ts';
import { nodeFiles } from '../../weights/node-files.ts';
import { syntheticFiles } from './synthesize.ts';

it('makes shards with an index that the loader reads, of the sizes it says', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nvlm-synth-'));
  try {
    const json = JSON.parse(await readFile(join(goldenFolder('nvlm-h'), 'config.json'), 'utf8')) as object;
    const config = parseConfig(json);
    const checkpoint = { config, dummyHeads: 0, fileName: (name: string) => name, tensors: parameterSpecs(config), files: { 'config.json': json } };
    const files = syntheticFiles(checkpoint, 7, 200_000);
    expect(files.at(-1)!.name).toBe('config.json');
    for (const { name, bytes, pieces } of files) {
      const content = Buffer.concat([...pieces()]);
      expect(content.length).toBe(bytes);
      await writeFile(join(folder, name), content);
    }
    const shards = (await readdir(folder)).filter((file) => /^model-\d{5}-of-\d{5}\.safetensors$/.test(file));
    expect(shards.length).toBeGreaterThan(2);
    const model = await openModelFolder(nodeFiles(folder));
    for (const { bytes } of model.shards) expect(bytes).toBeLessThan(210_000);
    const device = await openBackend('cpu');
    const weights = await loadWeights(model, config, { keepHalves: false });
    expect(weights.linears.size).toBeGreaterThan(10);
    await device.dispose();
  } finally {
    await rm(folder, { recursive: true });
  }
});
