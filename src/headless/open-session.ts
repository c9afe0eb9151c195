import type { Device } from '../device/types.ts';
import type { Session } from '../engine/chat/session.ts';
import { openModelFolder } from '../weights/model-folder.ts';
import { readAdapters, type AdapterOptions } from './adapter-folder.ts';
import type { Context } from './command.ts';
import { modelSource } from './model-source.ts';
import { commandDevices, openFiles } from './node-platform.ts';
import { offloadOf, type OffloadFlags } from './offload-option.ts';
import { reportLoading, warnOfSoftwareAdapter } from './open-engine.ts';
import { quantizationOf, type QuantizeOptions } from './quantize-option.ts';

/** A model on its device without an engine around it, for commands that look into it. tfjs comes with it, so it is imported only now. */
export async function openSession(
  model: string,
  options: AdapterOptions & QuantizeOptions & OffloadFlags,
  context: Context,
): Promise<{ session: Session; device: Device }> {
  const { signal, backend } = context;
  const adapters = await readAdapters(options);
  const folder = await openModelFolder(await openFiles(await modelSource(model), { signal }), signal);
  context.caution(folder.warnings);
  const [{ openDevice }, { Session }] = await Promise.all([import('../device/open-device.ts'), import('../engine/chat/session.ts')]);
  const device = await openDevice(backend, commandDevices(context));
  warnOfSoftwareAdapter(device.info, context);
  const session = await Session.open(folder, device, {
    quantize: quantizationOf(options),
    offload: offloadOf(options),
    adapters,
    signal,
    onProgress: (progress) => reportLoading(model, progress, context),
  }).catch((error: unknown) => {
    throw device.explain(error);
  });
  return { session, device };
}
