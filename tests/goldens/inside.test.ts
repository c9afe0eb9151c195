/** Attention, gates, probabilities, logit lens and worth of tiles against the reference implementation, on every backend. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../src/device/types.ts';
import { nodeFiles } from '../../src/weights/node-files.ts';
import { allBackends, openBackend } from '../support/backends.ts';
import { insideErrors } from './check.ts';
import { goldenFolder } from './golden-files.ts';

/** Largest difference of any number, probabilities' logarithms and worth included. */
const BOUND = 2e-5;

describe.each(allBackends)('inside on %s', (backend) => {
  let device: Device;
  beforeAll(async () => {
    device = await openBackend(backend);
  });
  afterAll(async () => {
    await device.dispose();
  });

  it.each(['nvlm-d', 'nvlm-x', 'nvlm-h'])('%s looks where the reference looks', async (name) => {
    const folder = goldenFolder(name);
    // Several tiles and a thumbnail; one tile, which H reads without cross-attention.
    const records = backend === 'wasm' ? [0, 1] : [0];
    const errors = await insideErrors(nodeFiles(folder), device, (path) => readFile(join(folder, path)), records);
    expect(errors.map(({ output }) => output)).toContain('tile_worth');
    expect(errors.filter(({ error }) => !(error < BOUND))).toEqual([]);
  });
});
