import * as tf from '@tensorflow/tfjs';
import type { Tensor, Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import type { LayerInputs, LayerRunner } from '../nvlm/decoder.ts';
import { releasing } from './release-tape.ts';

/**
 * Activation checkpointing (Chen et al. 2016): of a decoder layer only its inputs are kept for the backward pass,
 * which runs the layer again. Memory falls from every intermediate of every layer to those of one; a step computes a
 * third more.
 *
 * @param trainedOf the trained tensors that layer `index` reads, with cross-attention input or without
 */
export function checkpointedLayers(trainedOf: (index: number, crossAttends: boolean) => Tensor[]): LayerRunner {
  return (index, { x, cross, places }, layer) => {
    const trained = trainedOf(index, cross !== null);
    const activations: Tensor[] = cross ? [x, cross.k, cross.v] : [x];
    const run = tf.customGrad((...inputsAndSave) => {
      const save = inputsAndSave.at(-1) as unknown as (tensors: Tensor[]) => void;
      const inputs = inputsAndSave.slice(0, activations.length) as Tensor[];
      // Integers have no gradient, but they must be there when the layer runs again.
      const { sharedPlaces, ...plain } = places;
      const all: Record<string, Tensor | null> = { ...plain, ...sharedPlaces };
      const integers = Object.entries(all).flatMap(([name, tensor]) => (tensor ? [[name, tensor] as const] : []));
      save([...inputs, ...integers.map(([, tensor]) => tensor)]);
      const gradFunc = (dy: Tensor, saved: Tensor[]) => {
        const again = saved.slice(0, inputs.length);
        const byName = Object.fromEntries(integers.map(([name], i) => [name, saved[inputs.length + i]!]));
        const of = (names: object) => Object.fromEntries(Object.keys(names).map((name) => [name, byName[name] ?? null]));
        const placesAgain = { ...of(plain), sharedPlaces: sharedPlaces && of(sharedPlaces) } as unknown as LayerInputs['places'];
        return recompute(() => layer(asInputs(again, placesAgain)), [...again, ...trained], dy);
      };
      return { value: layer(asInputs(inputs, places)), gradFunc };
    });
    return run(...activations, ...trained) as Tensor2D;
  };
}

function asInputs([x, k, v]: Tensor[], places: LayerInputs['places']): LayerInputs {
  return { x: x as Tensor2D, cross: k && v ? { k: k as Tensor3D, v: v as Tensor3D } : null, places };
}

/** Gradients of a function within a backward pass: tfjs has one tape at a time, so the outer one is set aside. */
function recompute(f: () => Tensor, xs: Tensor[], dy: Tensor): Tensor[] {
  const { state } = tf.engine();
  const outer = state.activeTape;
  try {
    const { value, grads } = tf.engine().gradients(releasing(f), xs, dy, true);
    value.dispose();
    return xs.map((x, i) => grads[i] ?? tf.zerosLike(x));
  } finally {
    state.activeTape = outer;
  }
}
