import type { LlamaShape } from './llama-onnx.ts';
import { openOrt, type Ort, type OrtSession, type OrtTensor } from './peer.ts';

/** Keys and values by the names of the model's inputs, and how many tokens they hold. */
export interface OrtCache {
  held: number;
  past: Record<string, OrtTensor>;
}

/** A decoder of `llamaOnnx` in onnxruntime-web. */
export class OrtDecoder {
  private constructor(
    private readonly ort: Ort,
    private readonly session: OrtSession,
    private readonly shape: LlamaShape,
  ) {}

  static async open(model: Uint8Array, shape: LlamaShape): Promise<OrtDecoder> {
    const { ort, session } = await openOrt(model);
    return new OrtDecoder(ort, session, shape);
  }

  empty(): OrtCache {
    return this.held(0);
  }

  /** A cache of so many tokens whose keys and values are zeros. */
  held(tokens: number): OrtCache {
    const { layers, kvHeads, headDim } = this.shape;
    const past: OrtCache['past'] = {};
    for (let layer = 0; layer < layers; layer++) {
      for (const side of ['key', 'value']) {
        past[`past.${layer}.${side}`] = new this.ort.Tensor('float32', new Float32Array(kvHeads * tokens * headDim), [
          1,
          kvHeads,
          tokens,
          headDim,
        ]);
      }
    }
    return { held: tokens, past };
  }

  /** Logits [V] of the last of `ids`, and the cache with all of them. */
  async run(ids: readonly number[], { held, past }: OrtCache): Promise<{ logits: Float32Array; cache: OrtCache }> {
    const total = held + ids.length;
    const { logits, ...present } = await this.session.run({
      input_ids: new this.ort.Tensor('int64', BigInt64Array.from(ids, BigInt), [1, ids.length]),
      seqlens_k: new this.ort.Tensor('int32', Int32Array.of(total - 1), [1]),
      total_sequence_length: new this.ort.Tensor('int32', Int32Array.of(total), []),
      ...past,
    });
    const next = Object.fromEntries(Object.entries(present).map(([name, tensor]) => [name.replace('present', 'past'), tensor]));
    return { logits: logits!.data, cache: { held: total, past: next } };
  }
}
