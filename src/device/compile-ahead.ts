import * as tf from '@tensorflow/tfjs';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';

/** A flag of tfjs: programs are compiled beside this thread, and not dispatched. */
const COMPILE_ONLY = 'WEBGPU_ENGINE_COMPILE_ONLY';

/**
 * Compiles every program that `work` would run, all at once and beside this thread, and runs none of them: what `work` computes has
 * shapes but no values. Otherwise a program is compiled when it is dispatched for the first time, one after the other and while
 * somebody waits for an answer. Off WebGPU nothing happens.
 *
 * What cannot be compiled is left to that first dispatch, which says what is wrong with it.
 */
export async function compileAhead(work: () => void): Promise<void> {
  if (tf.getBackend() !== 'webgpu') return;
  const backend = tf.backend() as WebGPUBackend;
  const { pipelineCache } = backend as unknown as { pipelineCache: Record<string, GPUComputePipeline | Promise<GPUComputePipeline>> };
  tf.env().set(COMPILE_ONLY, true);
  try {
    work();
  } finally {
    tf.env().set(COMPILE_ONLY, false);
  }
  const begun = Object.entries(pipelineCache).filter(([, pipeline]) => pipeline instanceof Promise);
  // tfjs refuses a program that is still being compiled: who asks for one meanwhile compiles it himself.
  for (const [key] of begun) delete pipelineCache[key];
  const compiled = begun.map(async ([key, pipeline]) => {
    const ready = await Promise.resolve(pipeline).catch(() => null);
    if (ready) pipelineCache[key] ??= ready;
  });
  await Promise.all(compiled);
}
