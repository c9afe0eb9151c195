import { sizeClass, type FewRowsOp } from '../ops/few-rows-lines.ts';
import type { StepProducts } from '../ops/product-trial.ts';
import { productShape } from '../ops/recorded/product.ts';
import { isRecordable } from '../ops/recorded/weight-wgsl.ts';
import type { PlainWeight } from '../ops/types.ts';
import { hasCrossAttention } from './config.ts';
import { names } from './names.ts';
import type { NvlmModel } from './model.ts';

/**
 * The products of a decode step by their size classes, those that read most first; as the recorded step makes them, and then one by one, as
 * batches do. Without those in parts, which take their default. None where weights stay on disk: reading them takes the time.
 */
export function stepProducts({ config, weights }: Pick<NvlmModel, 'config' | 'weights'>): StepProducts[] {
  if (!weights.stays) return [];
  const classes = new Map<string, StepProducts & { size: number }>();
  const add = (op: FewRowsOp, normed: boolean, linears: readonly string[]) => {
    const factors = linears.map((name) => weights.linear(name));
    const plain = factors.filter((weight): weight is PlainWeight => weight.kind !== 'parts' && isRecordable(weight));
    if (plain.length < factors.length) return;
    const shape = productShape(plain);
    const key = sizeClass(op, shape);
    const found = classes.get(key) ?? { op, shape, normed, instances: [], size: 0 };
    classes.set(key, found);
    // Others of the class may be somewhat smaller; what is timed is of one size.
    found.size += shape.inFeatures * shape.outFeatures;
    if (shape.inFeatures === found.shape.inFeatures && shape.outFeatures === found.shape.outFeatures) found.instances.push(plain);
  };
  const both = (normed: boolean, linears: readonly string[]) => {
    add('recordedProduct', normed, linears);
    for (const name of linears) add('linear', false, [name]);
  };
  for (let layer = 0; layer < config.llm.layers; layer++) {
    const name = names.decoderLayer(config, layer);
    both(
      true,
      ['q_proj', 'k_proj', 'v_proj'].map((side) => `${name}.self_attn.${side}`),
    );
    both(false, [`${name}.self_attn.o_proj`]);
    if (hasCrossAttention(config, layer)) {
      both(true, [`${name}.cross_attn.q_proj`]);
      both(false, [`${name}.cross_attn.o_proj`]);
    }
    const sides = [`${name}.mlp.gate_proj`, `${name}.mlp.up_proj`];
    add('recordedSwiglu', true, sides);
    for (const side of sides) add('linear', false, [side]);
    both(false, [`${name}.mlp.down_proj`]);
  }
  both(true, [names.lmHead(config)]);
  const isOrdinary = ({ op }: StepProducts) => Number(op === 'linear');
  return [...classes.values()].sort((a, b) => isOrdinary(a) - isOrdinary(b) || b.size - a.size);
}
