import type { Device } from '../../device/types.ts';
import { throwIfAborted, toPlainError, type NvlmError, type PlainError } from '../../errors.ts';
import { freeQuota } from '../../files/quota.ts';
import { tokensPerTile } from '../../nvlm/config.ts';
import { openModelFolder, type ModelFolder } from '../../weights/model-folder.ts';
import type {
  CallOptions,
  LoadedModel,
  LoadOptions,
  LoadProgress,
  LoadSettings,
  MemoryPlan,
  ModelSource,
  PlannedModel,
  PlanSettings,
} from '../api.ts';
import { compileAnswer } from '../chat/compile-answer.ts';
import { Session } from '../chat/session.ts';
import { openTextSide } from '../chat/text-side.ts';
import { Inside } from '../inside/inside.ts';
import { tuneVariants } from '../measure/device-variants.ts';
import type { EnginePlatform } from '../platform.ts';
import type { HeldModels, Loaded } from './held-models.ts';
import { planMemory } from './memory-plan.ts';
import { modelAddress, modelTitle } from './model-address.ts';
import { modelEntries } from './model-list.ts';
import { isKept, storedBytesOf, writeRecord, type ModelRecord } from './model-records.ts';

interface LoadingParts {
  platform: EnginePlatform;
  held: HeldModels;
  /** @throws NvlmError where it went away */
  device(): Promise<Device>;
}

/** Plans of models and their way into memory; by model one at a time, for both write the same files into storage. */
export class Loading {
  private readonly opened = new Map<string, Promise<unknown>>();

  constructor(private readonly parts: LoadingParts) {}

  oneAtATime<T>(source: ModelSource, work: () => Promise<T>): Promise<T> {
    const id = modelAddress(source);
    const result = (this.opened.get(id) ?? Promise.resolve()).then(work, work);
    this.opened.set(id, result);
    result.catch(() => undefined);
    return result;
  }

  async load(
    source: ModelSource,
    { quantize, contextLength, adapters, offload, beside, signal, onProgress }: LoadOptions = {},
  ): Promise<LoadedModel> {
    const { platform, held } = this.parts;
    const report = (stage: LoadProgress['stage'], progress: Partial<LoadProgress> = {}) =>
      onProgress?.({ stage, loadedBytes: 0, totalBytes: 0, bytesPerSecond: 0, etaSeconds: null, fromStorage: false, ...progress });
    const device = await this.parts.device();
    const settings: LoadSettings = { ...(quantize && { quantize }), ...(contextLength && { contextLength }) };
    const found = beside && !adapters && !offload ? held.find(source, settings) : null;
    if (found) {
      held.answerWith(found, beside!);
      report('ready');
      return this.describe(found, null);
    }
    report('config');
    let notKept: PlainError | null = null;
    const onWarning = (error: NvlmError) => {
      // What another tab is storing right now will be kept all the same.
      if (error.code !== 'busy') notKept = toPlainError(error);
    };
    const files = await platform.openFiles(source, { signal, onWarning });
    let latest: Partial<LoadProgress> = {};
    try {
      const folder = await openModelFolder(files, signal);
      // Before the first byte of weights: what cannot be loaded is not downloaded either.
      const record = recordOf(source, folder, settings, planMemory(folder, device.info, { contextLength, quantize }).about);
      const store = isKept(source) ? await platform.store() : null;
      // Noted down first, so that a download that breaks off is found again.
      if (store) await writeRecord(store, record);
      report('weights', { totalBytes: folder.tensorBytes });
      // The old model stays usable until the new one is there.
      const session = await Session.open(folder, device, {
        quantize,
        contextLength,
        adapters,
        offload,
        signal,
        onProgress: (progress) => report('weights', (latest = progress)),
      });
      try {
        report('compile', latest);
        // Measured first: what is compiled is what is chosen.
        await tuneVariants(device, session.model, await platform.kept());
        await compileAnswer(session);
        throwIfAborted(signal);
      } catch (error) {
        session.dispose();
        throw error;
      }
      const plain = !offload && (adapters ?? []).length === 0;
      const id = modelAddress(source);
      held.answerWith({ id, session, inside: new Inside(session), record, warnings: folder.warnings, plain }, beside ?? []);
    } catch (error) {
      await files.close(error);
      throw device.explain(error);
    } finally {
      await files.close();
    }
    report('ready', latest);
    return this.describe(held.answering!, notKept);
  }

  async plan(source: ModelSource, { signal, contextLength, quantize }: CallOptions & Partial<PlanSettings> = {}): Promise<MemoryPlan> {
    const { platform } = this.parts;
    const { info } = await this.parts.device();
    const files = await platform.openFiles(source, { signal });
    try {
      const folder = await openModelFolder(files, signal);
      // A tokenizer or a template that cannot be used is a reason not to download the rest.
      if (folder.tokenizer) openTextSide(folder);
      const store = await platform.store();
      const quota = store && (await freeQuota());
      const storedBytes = store ? storedBytesOf(source, await store.usage()) : 0;
      return { ...planMemory(folder, info, { contextLength, quantize }, quota, storedBytes), warnings: folder.warnings };
    } finally {
      await files.close();
    }
  }

  private async describe({ id, session, warnings }: Loaded, notKept: PlainError | null): Promise<LoadedModel> {
    const { platform, held } = this.parts;
    const { config } = session;
    return {
      entry: (await modelEntries(await platform.store(), held)).find((entry) => entry.id === id)!,
      tileSize: config.tileSize,
      maxTiles: config.maxTiles,
      tagFormat: config.tagFormat,
      tokensPerTile: tokensPerTile(config),
      contextLength: session.contextLength,
      weightBytes: session.model.weights.bytes,
      loadMs: session.loadMs,
      notKept,
      warnings,
    };
  }
}

function recordOf(
  source: ModelSource,
  folder: ModelFolder,
  settings: LoadSettings,
  { family, parameters, takesPictures }: PlannedModel,
): ModelRecord {
  const bytes = folder.shards.reduce((sum, shard) => sum + shard.bytes, 0);
  return { title: modelTitle(source), source, family, parameters, bytes, takesPictures, settings };
}
