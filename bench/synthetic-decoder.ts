import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { syntheticFiles } from '../src/engine/models/synthesize.ts';
import { parameterSpecs } from '../src/nvlm/names.ts';
import { parseConfig } from '../src/nvlm/parse-config.ts';

/**
 * A text model of random weights in 16 bits, in a folder of its own for as long as `use` needs it.
 * @param json its config.json
 */
export async function withSyntheticDecoder<T>(json: object, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'nvlm-bench-'));
  try {
    const config = parseConfig(json);
    const fileName = (name: string) => name.replace('language_model.', '');
    const checkpoint = { files: { 'config.json': json }, config, tensors: parameterSpecs(config), dummyHeads: 0, fileName };
    for (const { name, pieces } of syntheticFiles(checkpoint, 1)) {
      const file = await open(join(folder, name), 'w');
      for (const piece of pieces()) await file.writeFile(piece);
      await file.close();
    }
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}
