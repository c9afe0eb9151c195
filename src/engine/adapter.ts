import type { NvlmModel } from '../nvlm/model.ts';
import { addAdapter, type AdapterModule } from '../training/lora.ts';
import { parseAdapter } from '../training/peft.ts';
import type { LoadedTensor } from '../weights/safetensors.ts';

/** A PEFT adapter as its two files hold it. */
export interface AdapterFiles {
  /** adapter_config.json, untrusted */
  config: unknown;
  /** adapter_model.safetensors */
  tensors: ReadonlyMap<string, LoadedTensor>;
}

/** An adapter to load a model with. */
export interface StrongAdapter {
  files: AdapterFiles;
  /** Factor on the adapter's own scale. */
  strength: number;
}

/** @throws NvlmError `bad-model`, `unsupported-model` */
export function readAdapter(model: NvlmModel, { config, tensors }: AdapterFiles): AdapterModule[] {
  return parseAdapter(config, tensors, model.weights);
}

/**
 * Puts an adapter on the model, for as long as it is loaded.
 *
 * @param strength factor on the adapter's own scale: 0 = off, 1 = as trained
 * @throws NvlmError `bad-model`, `unsupported-model`
 */
export function applyAdapter(model: NvlmModel, files: AdapterFiles, strength = 1): void {
  const modules = readAdapter(model, files);
  if (strength !== 0) addAdapter(model.weights, modules, strength);
}
