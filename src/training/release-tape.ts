import * as tf from '@tensorflow/tfjs';
import type { Tensor } from '@tensorflow/tfjs';

/** What tfjs notes of each op that the gradient leads through. */
interface TapeNode {
  /** While it walks back: those alone that lead to what is trained. */
  inputs: Record<string, Tensor>;
  saved: Tensor[];
  gradient?: (this: TapeNode, dys: (Tensor | null)[]) => Record<string, () => Tensor>;
}

/**
 * Has the backward pass of `f` give back what it has used: tfjs keeps every op's saved tensors and every gradient on
 * the way until the whole pass ends, and so the model's activations twice over.
 *
 * An op's saved tensors and the gradient of its result are used once, when the walk back comes to the op, and the share
 * of a gradient that is added to an earlier share is used up by the addition.
 *
 * @returns what to give to `tf.engine().gradients` in the place of `f`
 */
export function releasing<T extends Tensor>(f: () => T): () => T {
  return () => {
    const result = f();
    const { activeTape } = tf.engine().state;
    const walk: Walk = { reached: new Set(), added: [] };
    for (const node of activeTape as unknown as TapeNode[]) releaseAfterUse(node, walk);
    return result;
  };
}

interface Walk {
  /** Ids of tensors that have a share of their gradient. */
  reached: Set<number>;
  /** Shares that tfjs adds to an earlier one as soon as it has them. */
  added: Tensor[];
}

function releaseAfterUse(node: TapeNode, walk: Walk): void {
  const { gradient } = node;
  if (!gradient) return;
  node.gradient = function (dys) {
    tf.dispose(walk.added.splice(0));
    const gradients = gradient.call(this, dys);
    const wanted = Object.keys(this.inputs);
    let left = wanted.length;
    return Object.fromEntries(
      wanted.map((name) => [
        name,
        () => {
          const dx = shareOf(gradients[name]!(), dys);
          const { id } = this.inputs[name]!;
          if (walk.reached.has(id)) walk.added.push(dx);
          walk.reached.add(id);
          if (--left === 0) for (const used of [...dys, ...this.saved]) used?.dispose();
          return dx;
        },
      ]),
    );
  };
}

/** A gradient that passes through unchanged needs a handle of its own, for the other is given back. */
function shareOf(dx: Tensor, dys: readonly (Tensor | null)[]): Tensor {
  return dys.includes(dx) ? dx.clone() : dx;
}
