import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Device } from '../../src/device/types.ts';
import { applyAdapter, type AdapterFiles } from '../../src/engine/adapters/adapter.ts';
import { openTextSide } from '../../src/engine/chat/text-side.ts';
import { exportedFiles, mergeAdapterFiles } from '../../src/engine/export/export-model.ts';
import { forward } from '../../src/engine/measure/forward.ts';
import { loadModel } from '../../src/nvlm/load-model.ts';
import { blobFiles, type PickedFile } from '../../src/weights/blob-files.ts';
import { openModelFolder, type ModelFolder } from '../../src/weights/model-folder.ts';
import { nodeFiles } from '../../src/weights/node-files.ts';
import { parseSafetensors } from '../../src/weights/safetensors.ts';
import { relativeError } from './check.ts';
import { readAdapter } from './training-run.ts';

/** Holds the adapter in `peft/` to the last logits that PEFT has with it: put on the model, and merged into one that is written and read again. */
export async function expectPeftLogits(folder: string, device: Device, bound: number): Promise<void> {
  const tensors = async (path: string) => parseSafetensors(await readFile(join(folder, path)), path);
  const base = await openModelFolder(nodeFiles(folder));
  const { imageTokenId } = openTextSide(base);
  const expected = (await tensors('peft/last-logits.safetensors')).get('logits')!;
  const inputs = await tensors('forward/1.inputs.safetensors');
  const error = async (from: ModelFolder, adapter: AdapterFiles | null) => {
    const model = await loadModel(from, { keepHalves: false }, imageTokenId);
    if (adapter) applyAdapter(model, adapter);
    const outputs = await forward(model, device, inputs);
    model.dispose();
    const logits = outputs.find(({ name }) => name === 'logits')!.data as Float32Array;
    return relativeError(logits.slice(-expected.bytes.length / 4), expected);
  };
  const files = await readAdapter(join(folder, 'peft'));
  expect(await error(base, null)).toBeGreaterThan(0.1);
  expect(await error(base, files)).toBeLessThan(bound);

  const written: PickedFile[] = [];
  for (const { path, parts } of await exportedFiles(base, mergeAdapterFiles(base, [{ files, strength: 1 }]))) {
    const all: Uint8Array[] = [];
    for await (const part of parts) all.push(part);
    written.push({ path, blob: new Blob(all as Uint8Array<ArrayBuffer>[]) });
  }
  const merged = await openModelFolder(blobFiles(written, 'merged'));
  expect([...merged.tensors.keys()]).toEqual([...base.tensors.keys()]);
  expect(await error(merged, null)).toBeLessThan(bound);
}
