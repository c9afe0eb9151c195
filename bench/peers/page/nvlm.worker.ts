import * as Comlink from 'comlink';
import { browserPlatform } from '../../../src/device/browser.ts';
import { openDevice } from '../../../src/device/open-device.ts';
import type { Device } from '../../../src/device/types.ts';
import type { KvCache } from '../../../src/nvlm/kv-cache.ts';
import { loadModel } from '../../../src/nvlm/load-model.ts';
import type { NvlmModel } from '../../../src/nvlm/model.ts';
import { httpFiles } from '../../../src/weights/http-files.ts';
import { openModelFolder } from '../../../src/weights/model-folder.ts';

let device: Device;
let model: NvlmModel;
let cache: KvCache;

async function read(logits: ReturnType<NvlmModel['step']>): Promise<void> {
  await device.read(logits);
  logits.dispose();
}

const side = {
  /** The model under `/checkpoint/`, as the page would load it. */
  async open(bits: 4 | 8 | 16) {
    device = await openDevice('wasm', browserPlatform());
    const folder = await openModelFolder(httpFiles(new URL('/checkpoint/', location.origin), { id: 'bench' }));
    model = await loadModel(folder, { keepHalves: true, quantize: bits === 16 ? undefined : { bits, groupSize: 64 } });
    return device.info;
  },

  /** Milliseconds for a prompt of so many tokens; they stay in the cache. */
  async prefill(tokens: number): Promise<number> {
    cache?.dispose();
    cache = model.newCache(1);
    const inputIds = Int32Array.from({ length: tokens }, (_, i) => 100 + ((7 * i) % 40_000));
    const plan = { inputIds, crossMask: new Uint8Array(), crossTiles: [], crossTagIds: [], sequenceTiles: [] };
    const start = performance.now();
    await read(model.prefill([{ plan, features: null }], cache, 'last'));
    return performance.now() - start;
  },

  /** Milliseconds for so many steps; the cache is as it was afterwards. */
  async decode(tokens: number): Promise<number> {
    const held = cache.lengths[0]!;
    const start = performance.now();
    for (let i = 0; i < tokens; i++) await read(model.step([100 + i], cache));
    const ms = performance.now() - start;
    cache.truncate(held);
    return ms;
  },
};

export type NvlmSide = typeof side;

Comlink.expose(side);
