import type { Tensor2D } from '@tensorflow/tfjs';
import { NvlmError } from '../errors.ts';
import { adapterTensorName, fitsTarget, linearModules, type AdapterModule } from '../nvlm/adapters/adapter-modules.ts';
import type { Weights } from '../nvlm/weights.ts';
import { hashText, numbersFor } from '../numbers/random.ts';
import type { LoraConfig } from './run-config.ts';
import { asVariable, type TrainedTensor } from './trained-tensors.ts';

/**
 * Names of the linears that end in one of the targets. Never the vision encoder's.
 *
 * @throws NvlmError `usage` when a target fits nothing
 */
export function targetedModules(weights: Weights, targets: readonly string[]): string[] {
  const modules = linearModules(weights);
  const idle = targets.find((target) => !modules.some((module) => fitsTarget(module, target)));
  if (idle !== undefined) {
    throw new NvlmError(
      'usage',
      `The LoRA target "${idle}" fits no linear of the decoder, its cross-attention or the connector.`,
      'Name the end of a module, such as self_attn.q_proj, mlp.up_proj, cross_attn.v_proj or mlp1.1.',
    );
  }
  return modules.filter((module) => targets.some((target) => fitsTarget(module, target)));
}

/** A fresh adapter, which changes nothing yet: A uniform as PyTorch initialises a linear, B zero (PEFT's default). */
export function freshAdapter(weights: Weights, { rank, alpha, targets }: LoraConfig, seed: number): AdapterModule[] {
  return targetedModules(weights, targets).map((module) => {
    const { inFeatures, outFeatures } = weights.linear(module);
    const next = numbersFor(seed, hashText(module));
    const bound = 1 / Math.sqrt(inFeatures);
    const a = Float32Array.from({ length: rank * inFeatures }, () => (2 * next() - 1) * bound);
    return { module, rank, scale: alpha / rank, a, b: new Float32Array(outFeatures * rank) };
  });
}

/** Makes the adapter's updates, which must be on the model already, trainable. `dropout` gets the module's name. */
export function makeAdapterTrainable(
  weights: Weights,
  modules: readonly AdapterModule[],
  dropout: ((x: Tensor2D, module: string) => Tensor2D) | null,
): TrainedTensor[] {
  return modules.flatMap(({ module, rank }) => {
    const updates = weights.updates.get(module)!;
    const update = updates.at(-1)!;
    const [a, b] = [asVariable(update.a), asVariable(update.b)];
    updates[updates.length - 1] = {
      a: a as unknown as Tensor2D,
      b: b as unknown as Tensor2D,
      scale: update.scale,
      dropout: dropout && ((x) => dropout(x, module)),
    };
    const { inFeatures, outFeatures } = weights.linear(module);
    return [
      { name: adapterTensorName(module, 'A'), shape: [rank, inFeatures], transposed: true, module, variable: a },
      { name: adapterTensorName(module, 'B'), shape: [outFeatures, rank], transposed: true, module, variable: b },
    ];
  });
}
