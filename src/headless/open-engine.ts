import type { DeviceInfo, Engine, LoadedModel, LoadProgress, Quantization } from '../engine/api.ts';
import { readAdapters, type AdapterOptions } from './adapter-folder.ts';
import type { Context } from './command.ts';
import { modelSource } from './model-source.ts';
import { nodeEnginePlatform } from './node-platform.ts';

/** An engine on the chosen backend with the model loaded. tfjs comes with it, so it is imported only now. */
export async function openEngine(
  model: string,
  context: Context,
  { quantize, adapter, offload }: { quantize?: Quantization; offload?: { budgetBytes: number } } & AdapterOptions = {},
): Promise<{ engine: Engine; device: DeviceInfo; loaded: LoadedModel }> {
  const source = await modelSource(model);
  const adapters = await readAdapters({ adapter });
  const { createEngine } = await import('../engine/engine.ts');
  const engine = createEngine(nodeEnginePlatform(undefined, context));
  const device = await engine.openDevice(context.backend);
  warnOfSoftwareAdapter(device, context);
  const onProgress = (progress: LoadProgress) => reportLoading(model, progress, context);
  const loaded = await engine.load(source, {
    quantize,
    adapters,
    offload,
    signal: context.signal,
    onProgress,
  });
  context.caution(loaded.warnings);
  return { engine, device, loaded };
}

export function reportLoading(
  model: string,
  { loadedBytes, totalBytes }: Pick<LoadProgress, 'loadedBytes' | 'totalBytes'>,
  { progress }: Context,
): void {
  progress.update(`Loading ${model}`, loadedBytes, totalBytes, 'B');
}

export function warnOfSoftwareAdapter({ adapter }: DeviceInfo, { warn }: Context): void {
  if (!adapter?.software) return;
  const name = adapter.description || adapter.device || adapter.vendor || 'unnamed';
  warn(`WebGPU runs on a software GPU adapter here (${name}), many times slower than --backend wasm.`);
}

/** How results name the device: `wasm`, or `webgpu (NVIDIA …)`. */
export function deviceName({ backend, adapter }: Pick<DeviceInfo, 'backend' | 'adapter'>): string {
  const name = adapter && (adapter.description || adapter.device || adapter.vendor);
  return name ? `${backend} (${name})` : backend;
}
