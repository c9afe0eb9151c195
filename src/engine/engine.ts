import { NvlmError, throwIfAborted } from '../errors.ts';
import { searchRepositories } from '../weights/hub-search.ts';
import { createAdapters } from './adapters/adapters.ts';
import type { Engine } from './api.ts';
import { HeldDevice } from './held-device.ts';
import { createInsideCalls } from './inside/inside-calls.ts';
import { inspectImage } from './inspect/inspect.ts';
import { KnownGeometries } from './inspect/known-geometries.ts';
import { createLab } from './lab/lab.ts';
import { HeldModels } from './models/held-models.ts';
import { hubHit } from './models/hub-hits.ts';
import { Loading } from './models/loading.ts';
import { modelEntries, withTunedModels } from './models/model-list.ts';
import { storageFolder } from './models/model-records.ts';
import type { EnginePlatform } from './platform.ts';
import { createTraining, type TrainingHost } from './runs/runs.ts';
import { Turns } from './turns.ts';

/** Of which a handful is looked at. */
const SEARCH_LIMIT = 20;

/** One device, one model that answers, and those that are kept beside it. Calls that use the device wait for each other; `inspect` does not use it. */
export function createEngine(platform: EnginePlatform): Engine {
  const turns = new Turns();
  const held = new HeldModels();
  const device = new HeldDevice(platform.device, () => held.forget());
  const geometries = new KnownGeometries((source, options) => platform.openFiles(source, options), held);
  const loading = new Loading({ platform, held, device: () => device.usable() });

  /** What a lost device held went with it. */
  function unload(): void {
    if (!device.lost) held.unload();
  }

  const alone: TrainingHost['alone'] = (signal, work) =>
    turns.alone(signal, async (stop) => {
      throwIfAborted(signal);
      held.unload();
      // Whoever goes on after a lost device wants another one.
      if (device.lost) await device.replace();
      return work(await device.open(), stop);
    });

  const runs = createTraining({
    platform,
    device: () => device.usable(),
    alone,
    adapterFiles: (id) => adapters.api.exportAdapter(id),
  });

  const adapters = createAdapters({
    platform,
    loaded: () => held.answering && { session: held.answering.session, source: held.answering.record.source },
    sessions: () => held.all().map(({ session }) => session),
    runs: () => runs.runs(),
    inTurn: (work) => turns.inTurn(work),
  });

  return {
    ...runs,
    ...adapters.api,
    ...createInsideCalls({
      loaded() {
        device.assertUsable();
        return held.answering?.inside ?? null;
      },
      async useAdapters(wanted) {
        await adapters.use(held.answering!.session, wanted);
        device.assertUsable();
      },
      inTurn: (work) => turns.unlessTraining(work),
    }),
    ...createLab({ ...runs, device: async () => (await device.usable()).info }, platform, alone),

    device: () => turns.beside(async () => (await device.open()).info),

    openDevice: (wanted) =>
      turns.unlessTraining(async () => {
        unload();
        await device.replace(wanted);
        return (await device.open()).info;
      }),

    models: async () => withTunedModels(await modelEntries(await platform.store(), held), await runs.runs(), held),

    load: (source, options) =>
      turns.unlessTraining(() =>
        loading.oneAtATime(source, () => {
          geometries.remember(source);
          return loading.load(source, options);
        }),
      ),

    // Computes nothing, so it need not wait for a download or an answer.
    plan: (source, options) =>
      loading.oneAtATime(source, () => {
        geometries.remember(source);
        return loading.plan(source, options);
      }),

    async useHubToken(token) {
      platform.hub.token = token ?? undefined;
    },

    searchHub: async (query, { signal } = {}) =>
      (await searchRepositories(query, { ...platform.hub, limit: SEARCH_LIMIT, signal })).map(hubHit),

    unload: () => turns.unlessTraining(async () => held.unload()),

    deleteStored: (id) =>
      turns.unlessTraining(async () => {
        const store = await platform.store();
        if (!store) {
          throw new NvlmError(
            'usage',
            'Nothing is stored here: models are read where they lie.',
            'Delete the folder itself, if you want it gone.',
          );
        }
        await store.delete(storageFolder(geometries.sourceOf(id)));
      }),

    chat: (request, options) =>
      turns.unlessTraining(async () => {
        device.assertUsable();
        if (!held.answering) throw new NvlmError('not-found', 'No model is loaded.', 'Load one first, on the Models screen.');
        const { session } = held.answering;
        await adapters.use(session, request.adapters ?? []);
        device.assertUsable();
        return session.chat(request, options);
      }),

    inspect: async (request, options = {}) => inspectImage(request.image, await geometries.of(request.model, options), request, options),

    verify: (options) =>
      turns.unlessTraining(async () => {
        // The cases and the cpu backend are only worth loading for those who ask.
        const { verifyAndNote } = await import('./measure/verify.ts');
        return verifyAndNote(await device.usable(), await platform.kept(), options);
      }),

    dispose: () => {
      turns.endRun();
      return turns.inTurn(async () => {
        unload();
        await device.dispose();
      });
    },
  };
}
