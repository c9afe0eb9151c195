import * as tf from '@tensorflow/tfjs';

/** −log softmax(logits)[label] of each row, 0 where the label is negative; [R]. */
export function rowLossesReference(logits: tf.Tensor2D, labels: tf.Tensor1D): tf.Tensor1D {
  const [rows, vocab] = logits.shape;
  const peak = tf.max(logits, 1, true);
  const logSum = tf.add(tf.log(tf.sum(tf.exp(tf.sub(logits, peak)), 1)), tf.reshape(peak, [rows]));
  const places = tf.add(tf.mul(tf.range(0, rows, 1, 'int32'), tf.scalar(vocab, 'int32')), knownLabels(labels));
  const chosen = tf.gather(tf.reshape(logits, [rows * vocab]), tf.cast(places, 'int32') as tf.Tensor1D);
  return tf.mul(tf.sub(logSum, chosen), counted(labels));
}

/** Gradient of the row losses: (softmax(logits) − onehot(label)) · dy[row]; [R, V]. */
export function rowLossesGradientReference(logits: tf.Tensor2D, labels: tf.Tensor1D, dy: tf.Tensor1D): tf.Tensor2D {
  const [rows, vocab] = logits.shape;
  const scale = tf.reshape(tf.mul(dy, counted(labels)), [rows, 1]);
  // Cast afterwards: the wasm kernel writes integers whatever the type asked for.
  const onehot = tf.cast(tf.oneHot(knownLabels(labels), vocab, 1, 0, 'int32'), 'float32');
  return tf.mul(tf.sub(tf.softmax(logits), onehot), scale) as tf.Tensor2D;
}

/** 1 where the row has a label, else 0; f32 [R]. */
function counted(labels: tf.Tensor1D): tf.Tensor1D {
  return tf.cast(tf.greaterEqual(labels, tf.scalar(0, 'int32')), 'float32') as tf.Tensor1D;
}

/** Labels with the missing ones as 0, so that they index a valid logit. */
function knownLabels(labels: tf.Tensor1D): tf.Tensor1D {
  return tf.maximum(labels, tf.scalar(0, 'int32')) as tf.Tensor1D;
}
