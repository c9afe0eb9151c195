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
 * Has the backward pass of `f` free what it has used. tfjs notes the ops of the forward pass on a tape and walks it backwards; it frees
 * the tensors that the ops saved, and every gradient on the way, when the whole walk is done. Activations would so be there twice, once
 * as values and once as gradients.
 *
 *     forward    x ─ linear ─► a ─ gelu ─► b ─ linear ─► loss
 *     backward     3 ◄──────── 2 ◄──────── 1
 *
 * At 2, `a` (saved by gelu) and the gradient of `b` are read for the last time: they are freed there, before the gradient of `x` is made.
 * Where two ops read one tensor, as in x + f(x), its gradient comes in two shares, and the second is freed once it is added to the first.
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
