import { checkShape } from '../define-op.ts';
import type { AttentionSizes } from './reference.ts';

/** Widest head that the programs hold in registers and workgroup memory. */
export const MAX_HEAD_DIM = 256;

type Shaped = { shape: number[] };

/**
 * Sizes of q [B·T, H·D] over k and v [B, S, Hkv·D].
 * @throws RangeError when they disagree
 */
export function attentionSizes(
  op: string,
  q: Shaped,
  k: Shaped,
  v: Shaped,
  { heads, kvHeads }: { heads: number; kvHeads: number },
): AttentionSizes {
  const [batch = 0, keys = 0, kvWidth = 0] = k.shape;
  const dim = kvWidth / kvHeads;
  if (heads % kvHeads !== 0) throw new RangeError(`${op}: ${heads} heads over ${kvHeads} key and value heads`);
  if (!Number.isInteger(dim) || dim < 1 || dim > MAX_HEAD_DIM) throw new RangeError(`${op}: head width ${dim}`);
  checkShape(op, 'q', q, [null, heads * dim]);
  checkShape(op, 'k', k, [null, null, kvHeads * dim]);
  checkShape(op, 'v', v, k.shape);
  const rows = q.shape[0]! / batch;
  if (!Number.isInteger(rows)) throw new RangeError(`${op}: ${q.shape[0]} query rows in a batch of ${batch}`);
  return { batch, rows, keys, heads, kvHeads, dim };
}
