/** InternViT as an ONNX file with the ops that onnxruntime's CPU provider is fastest with: one attention op a layer, fused biases. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { VisionConfig } from '../../src/nvlm/config.ts';
import { internVitNames as names } from '../../src/nvlm/vision/intern-vit-parameters.ts';
import { toF32 } from '../../src/weights/dtype.ts';
import { parseSafetensors } from '../../src/weights/safetensors.ts';
import { product, type OnnxKind } from './onnx-products.ts';
import { FLOAT, MICROSOFT, OnnxGraph, floats, integers } from './onnx.ts';

/** Takes `pixels` [1, 3, S, S] and gives `encoded` [1, (S / patch)² + 1, width], CLS first. */
export async function visionOnnx(folder: string, config: VisionConfig, kind: OnnxKind): Promise<Uint8Array> {
  const tensors = parseSafetensors(await readFile(join(folder, 'model.safetensors')), 'model.safetensors');
  const { hiddenSize, heads, layers, imageSize, patchSize, normEps } = config;
  const graph = new OnnxGraph();
  const valuesOf = (name: string) => {
    const { dtype, bytes } = tensors.get(name)!;
    return toF32(dtype, bytes)!;
  };
  const vector = (name: string) => graph.weight(floats(valuesOf(name)));
  const linear = (x: string, name: string) => {
    const [rows = 0, columns = 0] = tensors.get(`${name}.weight`)!.shape;
    return product(graph, x, { rows, columns, values: valuesOf(`${name}.weight`) }, kind, valuesOf(`${name}.bias`));
  };
  const norm = (x: string, name: string) =>
    graph.one('LayerNormalization', [x, vector(`${name}.weight`), vector(`${name}.bias`)], { axis: -1, epsilon: { float: normEps } });
  const scaled = (x: string, name: string) => graph.one('Mul', [x, vector(name)]);

  const pixels = graph.input('pixels', FLOAT, [1, 3, imageSize, imageSize]);
  const kernel = graph.weight(floats(valuesOf(`${names.patchEmbedding}.weight`), [hiddenSize, 3, patchSize, patchSize]));
  const grid = graph.one('Conv', [pixels, kernel, vector(`${names.patchEmbedding}.bias`)], {
    kernel_shape: [patchSize, patchSize],
    strides: [patchSize, patchSize],
  });
  const flat = graph.one('Reshape', [grid, graph.weight(integers([1, hiddenSize, -1]))]);
  const rows = graph.one('Transpose', [flat], { perm: [0, 2, 1] });
  const cls = graph.weight(floats(valuesOf(names.classEmbedding), [1, 1, hiddenSize]));
  const positions = valuesOf(names.positionEmbedding);
  const embedded = graph.one('Concat', [cls, rows], { axis: 1 });
  let x = graph.one('Add', [embedded, graph.weight(floats(positions, [1, positions.length / hiddenSize, hiddenSize]))]);
  for (let layer = 0; layer < layers; layer++) {
    const name = names.layer(layer);
    const qkv = linear(norm(x, `${name}.norm1`), `${name}.attn.qkv`);
    const parts = graph.node('Split', [qkv, graph.weight(integers([hiddenSize, hiddenSize, hiddenSize]))], { axis: -1 }, 3);
    const attended = graph.one('MultiHeadAttention', parts, { num_heads: heads }, MICROSOFT);
    x = graph.one('Add', [x, scaled(linear(attended, `${name}.attn.proj`), `${name}.ls1`)]);
    const hidden = graph.one('Gelu', [linear(norm(x, `${name}.norm2`), `${name}.mlp.fc1`)], {}, MICROSOFT);
    x = graph.one('Add', [x, scaled(linear(hidden, `${name}.mlp.fc2`), `${name}.ls2`)]);
  }
  graph.node('Identity', [x], {}, ['encoded']);
  graph.output('encoded', FLOAT, [1, (imageSize / patchSize) ** 2 + 1, hiddenSize]);
  return graph.model();
}
