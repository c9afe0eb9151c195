import { NvlmError } from '../../errors.ts';
import type { NvlmModel } from '../../nvlm/model.ts';
import { addAdapter, type AdapterModule } from '../../nvlm/adapters/adapter-modules.ts';
import { ADAPTER_CONFIG } from '../../nvlm/adapters/adapter-config.ts';
import { ADAPTER_WEIGHTS, parseAdapter } from '../../nvlm/adapters/peft.ts';
import { parseSafetensors, type LoadedTensor } from '../../weights/safetensors.ts';

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

/** @throws NvlmError `bad-model` */
export function adapterFilesOf(config: Uint8Array, weights: Uint8Array): AdapterFiles {
  return { config: parseAdapterConfig(config), tensors: parseSafetensors(weights, ADAPTER_WEIGHTS) };
}

/** @throws NvlmError `bad-model` */
export function parseAdapterConfig(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
  } catch (cause) {
    throw new NvlmError('bad-model', `${ADAPTER_CONFIG} is not JSON.`, 'Export the adapter again.', { cause });
  }
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
