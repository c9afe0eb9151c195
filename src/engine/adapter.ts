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

/** @throws NvlmError `bad-model`, `unsupported-model` */
export function readAdapter(model: NvlmModel, { config, tensors }: AdapterFiles): AdapterModule[] {
  return parseAdapter(config, tensors, model.weights);
}

/** Puts an adapter on the model, for as long as it is loaded. @throws NvlmError `bad-model`, `unsupported-model` */
export function applyAdapter(model: NvlmModel, files: AdapterFiles): void {
  addAdapter(model.weights, readAdapter(model, files));
}
