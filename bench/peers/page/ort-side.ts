import type { OrtTensor } from '../peer.ts';
import { countGpuCalls, since, type GpuCounts } from './gpu-counts.ts';

/** What this page uses of onnxruntime-web. */
interface OrtWebGpu {
  env: { wasm: { wasmPaths: string; numThreads: number }; logLevel: string };
  Tensor: new (type: string, data: Float32Array | Int32Array | BigInt64Array, dims: number[]) => OrtTensor & { dispose(): void };
  InferenceSession: {
    create(
      model: string,
      options: object,
    ): Promise<{ run(feeds: object): Promise<Record<string, OrtTensor & { dispose(): void }>>; outputNames: string[] }>;
  };
}

/**
 * A decoder of `llamaOnnx` in onnxruntime-web's WebGPU provider, which is loaded as it is published. Keys and values stay on the device
 * from run to run, and the id is picked on the host, as transformers.js has it.
 *
 * @returns decodes so many tokens greedily behind those before
 */
export async function openOrtSide(model: string, { layers, kvHeads, headDim }: { layers: number; kvHeads: number; headDim: number }) {
  const counts = countGpuCalls();
  const ort = (await import(/* @vite-ignore */ new URL('/ort/ort.webgpu.min.mjs', location.origin).href)) as OrtWebGpu;
  ort.env.wasm.wasmPaths = '/ort/';
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
  const names = Array.from({ length: layers }, (_, layer) => ['key', 'value'].map((side) => `${layer}.${side}`)).flat();
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ['webgpu'],
    graphOptimizationLevel: 'all',
    preferredOutputLocation: Object.fromEntries(names.map((name) => [`present.${name}`, 'gpu-buffer'])),
  });
  let held = 0;
  let past = names.map((): OrtTensor & { dispose(): void } => new ort.Tensor('float32', new Float32Array(), [1, kvHeads, 0, headDim]));
  let next = 0;

  async function run(ids: readonly number[]): Promise<void> {
    held += ids.length;
    const outputs = await session.run({
      input_ids: new ort.Tensor('int64', BigInt64Array.from(ids, BigInt), [1, ids.length]),
      seqlens_k: new ort.Tensor('int32', Int32Array.of(held - 1), [1]),
      total_sequence_length: new ort.Tensor('int32', Int32Array.of(held), []),
      ...Object.fromEntries(names.map((name, i) => [`past.${name}`, past[i]!])),
    });
    for (const tensor of past) tensor.dispose();
    past = names.map((name) => outputs[`present.${name}`]!);
    const logits = outputs['logits']!.data;
    next = 0;
    for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[next]!) next = id;
  }

  return {
    /** @returns the first id behind the prompt */
    async prompt(ids: readonly number[]): Promise<number> {
      await run(ids);
      return next;
    },
    async decode(tokens: number): Promise<{ ids: number[]; ms: number; counts: GpuCounts }> {
      const before = { ...counts };
      const start = performance.now();
      const ids: number[] = [];
      for (let n = 0; n < tokens; n++) {
        await run([next]);
        ids.push(next);
      }
      return { ids, ms: performance.now() - start, counts: since(before, counts) };
    },
  };
}
