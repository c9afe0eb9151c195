import { readFile } from 'node:fs/promises';
import { toF32 } from '../../src/weights/dtype.ts';
import { parseSafetensors } from '../../src/weights/safetensors.ts';
import { importPeer } from './peer.ts';

/** An array of jax-js: every use takes it, unless `ref` is used in its place. */
interface JaxArray {
  readonly ref: JaxArray;
  readonly shape: number[];
  add(other: JaxArray | number): JaxArray;
  sub(other: JaxArray | number): JaxArray;
  mul(other: JaxArray | number): JaxArray;
  div(other: JaxArray | number): JaxArray;
  reshape(shape: number[]): JaxArray;
  transpose(axes?: number[]): JaxArray;
  data(): Promise<Float32Array>;
}

type Tree = Record<string, JaxArray>;

interface Jax {
  init(device: string): Promise<string[]>;
  defaultDevice(device: string): void;
  jit<F>(work: F): F;
  valueAndGrad(loss: (trained: Tree, ...rest: JaxArray[]) => JaxArray): (trained: Tree, ...rest: JaxArray[]) => [JaxArray, Tree];
  numpy: {
    array(values: Float32Array | Int32Array): JaxArray;
    square(x: JaxArray): JaxArray;
    sqrt(x: JaxArray): JaxArray;
    power(x: number, y: JaxArray): JaxArray;
    mean(x: JaxArray, axis: number, options: { keepdims: boolean }): JaxArray;
    sum(x: JaxArray): JaxArray;
    matmul(x: JaxArray, y: JaxArray): JaxArray;
    split(x: JaxArray, parts: number, axis: number): JaxArray[];
    concatenate(parts: JaxArray[], axis: number): JaxArray;
    negative(x: JaxArray): JaxArray;
  };
  nn: {
    silu(x: JaxArray): JaxArray;
    logSoftmax(x: JaxArray, axis: number): JaxArray;
    oneHot(x: JaxArray, classes: number): JaxArray;
    dotProductAttention(q: JaxArray, k: JaxArray, v: JaxArray, options: { isCausal: boolean }): JaxArray;
  };
}

/** A Llama-type decoder with tied head in jax-js on wasm: forward, backward and AdamW in one compiled function. */
export async function openJaxTrainer(
  file: string,
  config: Record<string, unknown>,
  { lr, betas: [beta1, beta2], eps }: { lr: number; betas: readonly [number, number]; eps: number },
  ids: readonly Int32Array[],
): Promise<{ step(): Promise<number> }> {
  addIteratorHelpers();
  const jax = await importPeer<Jax>('@jax-js/jax');
  await jax.init('wasm');
  jax.defaultDevice('wasm');
  const { numpy: np, nn } = jax;
  const number = (key: string) => config[key] as number;
  const [batch, length] = [ids.length, ids[0]!.length];
  const heads = number('num_attention_heads');
  const dim = number('hidden_size') / heads;
  const layers = number('num_hidden_layers');
  const vocabulary = number('vocab_size');

  const matrix = (values: Float32Array, shape: number[]) => np.array(values).reshape(shape);
  const trained: Tree = {};
  for (const { name, shape, dtype, bytes } of parseSafetensors(await readFile(file), file).values()) {
    const values = toF32(dtype, bytes)!;
    const [rows = 0, columns = 0] = shape;
    const isMatrix = shape.length === 2 && !name.includes('embed');
    // Linears as [in, out], so that no step turns them.
    const turned = isMatrix ? values.map((_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!) : values;
    trained[name] = matrix(turned, isMatrix ? [columns, rows] : shape);
  }
  const angles = Array.from(
    { length: length * (dim / 2) },
    (_, i) => Math.floor(i / (dim / 2)) * number('rope_theta') ** ((-2 * (i % (dim / 2))) / dim),
  );
  const wave = (of: (x: number) => number) => matrix(Float32Array.from(angles, of), [1, length, 1, dim / 2]);
  const [cos, sin] = [wave(Math.cos), wave(Math.sin)];
  const oneHot = (rows: number[]) => {
    const values = new Float32Array(rows.length * vocabulary);
    rows.forEach((id, row) => (values[row * vocabulary + id] = 1));
    return matrix(values, [rows.length, vocabulary]);
  };
  const inputs = oneHot(ids.flatMap((row) => [...row]));
  // Each token is predicted from the position before it; the last position of a sequence has nothing to predict.
  const labels = ids.flatMap((row) => [...row.subarray(1), -1]);
  const wanted = matrix(
    Float32Array.from({ length: labels.length * vocabulary }, (_, i) => Number(labels[Math.floor(i / vocabulary)] === i % vocabulary)),
    [labels.length, vocabulary],
  );
  const count = batch * (length - 1);

  const norm = (x: JaxArray, weight: JaxArray) =>
    x.ref.div(np.sqrt(np.mean(np.square(x), -1, { keepdims: true }).add(number('rms_norm_eps')))).mul(weight);
  const rotate = (x: JaxArray, cosines: JaxArray, sines: JaxArray) => {
    const [a, b] = np.split(x, 2, -1) as [JaxArray, JaxArray];
    return np.concatenate([a.ref.mul(cosines.ref).sub(b.ref.mul(sines.ref)), b.mul(cosines).add(a.mul(sines))], -1);
  };
  const loss = (weights: Tree, rows: JaxArray, targets: JaxArray, cosines: JaxArray, sines: JaxArray): JaxArray => {
    const take = (layer: number, part: string) => weights[`model.layers.${layer}.${part}.weight`]!;
    const table = weights['model.embed_tokens.weight']!;
    let x = np.matmul(rows, table.ref);
    for (let layer = 0; layer < layers; layer++) {
      const normed = norm(x.ref, take(layer, 'input_layernorm'));
      const side = (part: string, input: JaxArray) =>
        np.matmul(input, take(layer, `self_attn.${part}`)).reshape([batch, length, heads, dim]);
      const q = rotate(side('q_proj', normed.ref), cosines.ref, sines.ref);
      const k = rotate(side('k_proj', normed.ref), cosines.ref, sines.ref);
      const attended = nn.dotProductAttention(q, k, side('v_proj', normed), { isCausal: true });
      x = x.add(np.matmul(attended.reshape([batch * length, heads * dim]), take(layer, 'self_attn.o_proj')));
      const inner = norm(x.ref, take(layer, 'post_attention_layernorm'));
      const gate = nn.silu(np.matmul(inner.ref, take(layer, 'mlp.gate_proj')));
      x = x.add(np.matmul(gate.mul(np.matmul(inner, take(layer, 'mlp.up_proj'))), take(layer, 'mlp.down_proj')));
    }
    const logits = np.matmul(norm(x, weights['model.norm.weight']!), table.transpose());
    return np.negative(np.sum(nn.logSoftmax(logits, -1).mul(targets))).div(count);
  };

  const names = Object.keys(trained);
  const map = (work: (name: string) => JaxArray): Tree => Object.fromEntries(names.map((name) => [name, work(name)]));
  const update = jax.jit(
    (
      weights: Tree,
      first: Tree,
      second: Tree,
      ofFirst: JaxArray,
      ofSecond: JaxArray,
      rows: JaxArray,
      targets: JaxArray,
      cosines: JaxArray,
      sines: JaxArray,
    ) => {
      const kept = map((name) => weights[name]!.ref);
      const [value, gradients] = jax.valueAndGrad(loss)(kept, rows, targets, cosines, sines);
      const m = map((name) => first[name]!.mul(beta1).add(gradients[name]!.ref.mul(1 - beta1)));
      const v = map((name) => second[name]!.mul(beta2).add(np.square(gradients[name]!).mul(1 - beta2)));
      const next = map((name) =>
        weights[name]!.sub(
          m[name]!.ref.mul(lr)
            .mul(ofFirst.ref)
            .div(np.sqrt(v[name]!.ref.mul(ofSecond.ref)).add(eps)),
        ),
      );
      return [value, next, m, v] as [JaxArray, Tree, Tree, Tree];
    },
  );

  const zeros = () => map((name) => trained[name]!.ref.mul(0));
  let [weights, first, second] = [trained, zeros(), zeros()];
  let steps = 0;
  return {
    async step() {
      steps++;
      const [ofFirst, ofSecond] = [beta1, beta2].map((beta) => np.array(Float32Array.of(1 / (1 - beta ** steps)))) as [JaxArray, JaxArray];
      let value: JaxArray;
      [value, weights, first, second] = update(weights, first, second, ofFirst, ofSecond, inputs.ref, wanted.ref, cos.ref, sin.ref);
      // All of the step has been computed when its last tensor can be read.
      await second[names.at(-1)!]!.ref.data();
      return (await value.data())[0]!;
    },
  };
}

/** jax-js reads its einsum expressions with helpers that Node 20 does not have yet; no step comes near them. */
function addIteratorHelpers(): void {
  const iterators = Object.getPrototypeOf(Object.getPrototypeOf([].values())) as Record<string, unknown>;
  const define = (name: string, value: unknown) =>
    void (name in iterators || Object.defineProperty(iterators, name, { value, writable: true, configurable: true }));
  define('map', function* <T, U>(this: Iterable<T>, work: (value: T) => U) {
    for (const value of this) yield work(value);
  });
  define('filter', function* <T>(this: Iterable<T>, wanted: (value: T) => boolean) {
    for (const value of this) if (wanted(value)) yield value;
  });
  define('toArray', function <T>(this: Iterable<T>) {
    return [...this];
  });
}
