import * as tf from '@tensorflow/tfjs';
import type { Tensor, Tensor2D } from '@tensorflow/tfjs';
import type { NvlmModel } from '../../nvlm/model.ts';

/** Logits that are held at once; a large vocabulary has 150 000 a row. */
const MOST_LOGITS = 4 * 1024 * 1024;

/**
 * What the head reads in rows of the residual stream, a block of rows after the other.
 *
 * @param residual [R, C]
 * @param of what is wanted of the logits [block, V]; of the enclosing tidy
 */
export async function* readOutBlocks<T extends Tensor>(
  model: NvlmModel,
  residual: Tensor2D,
  of: (logits: Tensor2D) => T[],
): AsyncGenerator<{ first: number; count: number; parts: T[] }> {
  const rows = residual.shape[0];
  const atOnce = Math.max(1, Math.floor(MOST_LOGITS / model.config.llm.vocabSize));
  for (let first = 0; first < rows; first += atOnce) {
    const count = Math.min(atOnce, rows - first);
    const parts = tf.tidy(() => of(model.readOut(tf.slice(residual, [first, 0], [count, residual.shape[1]]))));
    try {
      yield { first, count, parts };
    } finally {
      tf.dispose(parts);
    }
  }
}
