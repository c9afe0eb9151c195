import type { Device } from '../device/types.ts';
import type { Naming } from '../nvlm/naming.ts';
import { parseHubId } from '../weights/hub-address.ts';
import { writeTrained } from './checkpoint.ts';
import { fitsTarget, type AdapterModule } from '../nvlm/adapters/adapter-modules.ts';
import { ADAPTER_CONFIG } from '../nvlm/adapters/adapter-config.ts';
import { ADAPTER_WEIGHTS } from '../nvlm/adapters/peft.ts';
import type { LoraConfig } from './run-config.ts';
import type { TrainedTensor } from './trained-tensors.ts';

type Module = Pick<AdapterModule, 'module' | 'rank' | 'scale'>;

export interface GpuAdapterDescription {
  lora: Pick<LoraConfig, 'targets' | 'dropout'>;
  /** What is trained, at least one; one that the run began with may have another rank and scale for each. */
  modules: readonly Module[];
  /** Where the base model is, as the run names it. */
  base: string;
  naming: Naming;
  isTextModel: boolean;
}

/**
 * The two files of a LoRA run's adapter as PEFT writes them, under the names that modules have in the class that reads
 * such a checkpoint: transformers' for `-hf` layouts and text models, the checkpoint's own code otherwise.
 */
export async function adapterFiles(
  trained: readonly TrainedTensor[],
  description: GpuAdapterDescription,
  device: Device,
): Promise<Map<string, Uint8Array>> {
  const named = trained.map((tensor) => {
    const [module] = description.naming.moduleNames(tensor.module) as [string];
    return { ...tensor, name: tensor.name.replace(tensor.module, module) };
  });
  const config = adapterConfig(description);
  return new Map([
    [ADAPTER_WEIGHTS, await writeTrained(named, device)],
    [ADAPTER_CONFIG, new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`)],
  ]);
}

/** `adapter_config.json` as PEFT 0.21 writes it, keys in its order. */
function adapterConfig({ lora, modules, base, naming, isTextModel }: GpuAdapterDescription) {
  const hub = parseHubId(base);
  const ownNames = modules.map(({ module }) => module);
  const targets = lora.targets.flatMap((target) => theirTargets(target, ownNames, naming));
  const first = modules[0]!;
  const [rank, alpha] = [first.rank, alphaOf(first)];
  const pattern = (of: (module: Module) => number, usual: number) =>
    Object.fromEntries(modules.filter((one) => of(one) !== usual).map((one) => [naming.moduleNames(one.module)[0]!, of(one)]));
  // Its projections have the names of the decoder's there.
  const touchesVision = targets.some((target) => naming.vision?.hasModule(target));
  return {
    alora_invocation_tokens: null,
    alpha_pattern: pattern(alphaOf, alpha),
    arrow_config: null,
    auto_mapping: naming.autoMapping,
    base_model_name_or_path: hub?.repository ?? base,
    bias: 'none',
    corda_config: null,
    ensure_weight_tying: false,
    eva_config: null,
    exclude_modules: touchesVision ? naming.vision!.modules.source : null,
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    kasa_config: null,
    layer_replication: null,
    layers_pattern: null,
    layers_to_transform: null,
    loftq_config: {},
    lora_alpha: alpha,
    lora_bias: false,
    lora_dropout: lora.dropout,
    lora_ga_config: null,
    megatron_config: null,
    megatron_core: 'megatron.core',
    modules_to_save: null,
    monteclora_config: null,
    peft_type: 'LORA',
    peft_version: '0.21.2',
    qalora_group_size: 16,
    r: rank,
    rank_pattern: pattern((one) => one.rank, rank),
    revision: hub && hub.revision !== 'main' ? hub.revision : null,
    target_modules: [...new Set(targets)].sort(),
    target_parameters: null,
    task_type: isTextModel ? 'CAUSAL_LM' : null,
    trainable_token_indices: null,
    use_bdlora: null,
    use_dora: false,
    use_qalora: false,
    use_rslora: false,
    velora_config: null,
  };
}

/** Without the last bits that dividing by the rank and multiplying again may cost. */
function alphaOf({ rank, scale }: Module): number {
  return Number((rank * scale).toPrecision(12));
}

/** A target that ends their modules' names too stays; any other becomes the names of the modules that it fits. */
function theirTargets(target: string, modules: readonly string[], naming: Naming): string[] {
  const theirs = modules.filter((module) => fitsTarget(module, target)).flatMap((module) => naming.moduleNames(module));
  return theirs.every((module) => fitsTarget(module, target)) ? [target] : theirs;
}
