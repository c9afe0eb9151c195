import * as Comlink from 'comlink';
import type { TilePicture } from '../../workers/bitmaps.ts';
import type { ComposedPicture, ExampleCard } from '../../workers/desk-pictures.ts';
import type { PicturesService } from '../../workers/pictures-service.ts';
import type { ComposeForm } from '../desk/compose/form.ts';
import { NvlmError } from '../errors.ts';
import type { RgbImage } from '../tiling/types.ts';

/** Drawing, in a worker of its own: the page only shows what is drawn, and the engine may be busy. */
export interface Pictures {
  /** The pictures to begin with. */
  examples(): Promise<ExampleCard[]>;
  /** One of them as a PNG file; drawn once. */
  exampleFile(id: string): Promise<Uint8Array>;
  compose(form: ComposeForm): Promise<ComposedPicture>;
  /** The file as the browser shows it, at most `largestSide` pixels a side; null when the browser cannot read it. */
  display(file: Blob, largestSide: number): Promise<ImageBitmap | null>;
  /**
   * `image` as bitmaps; its pixels move to the worker and are gone here.
   *
   * @param across visual tokens along a side of the tile
   */
  tile(image: RgbImage, across: number): Promise<TilePicture>;
}

/** One started worker; the seam that tests replace. */
export interface PicturesHost {
  service: Comlink.Remote<PicturesService>;
  /** Resolves with what is known about the end of the worker. */
  died: Promise<string>;
  terminate(): void;
}

interface Running extends PicturesHost {
  /** Rejects every call that waits for this worker. */
  rejectOpen: Set<(error: NvlmError) => void>;
}

/** The worker starts with the first call, and anew with the first one after it died. */
export function createPicturesClient(spawn: () => PicturesHost = spawnPicturesWorker): Pictures {
  let running: Running | null = null;
  const kept = new Map<string, Promise<unknown>>();

  function start(): Running {
    const started: Running = { ...spawn(), rejectOpen: new Set() };
    void started.died.then((why) => {
      if (running === started) running = null;
      started.terminate();
      for (const reject of started.rejectOpen) reject(notDrawn(why));
    });
    return started;
  }

  async function call<T>(work: (service: Comlink.Remote<PicturesService>) => Promise<T>): Promise<T> {
    const { service, rejectOpen } = (running ??= start());
    let reject!: (error: NvlmError) => void;
    const lost = new Promise<never>((_, rejectLost) => {
      reject = rejectLost;
    });
    rejectOpen.add(reject);
    try {
      return await Promise.race([work(service), lost]);
    } finally {
      rejectOpen.delete(reject);
    }
  }

  /** What never changes is asked for once; a failure is not kept. */
  function once<T>(key: string, ask: () => Promise<T>): Promise<T> {
    const known = kept.get(key) as Promise<T> | undefined;
    if (known) return known;
    const asked = ask();
    kept.set(key, asked);
    asked.catch(() => kept.delete(key));
    return asked;
  }

  return {
    examples: () => once('examples', () => call((service) => service.examples())),
    exampleFile: (id) => once(`example ${id}`, () => call((service) => service.exampleFile(id))),
    compose: (form) => call((service) => service.compose(form)),
    display: (file, largestSide) => call((service) => service.display(file, largestSide)),
    tile: (image, across) =>
      call((service) => service.tile(Comlink.transfer(image, [image.data.buffer as ArrayBuffer]), across)),
  };
}

function notDrawn(why: string): NvlmError {
  return new NvlmError('internal', `The worker that draws pictures stopped. ${why}`.trim(), 'Try again, or reload the page.');
}

function spawnPicturesWorker(): PicturesHost {
  const worker = new Worker(new URL('../../workers/pictures.worker.ts', import.meta.url), {
    type: 'module',
    name: 'pictures',
  });
  const died = new Promise<string>((resolve) => {
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      resolve(event.message ? `It said: ${event.message}` : 'Its script could not be loaded.');
    });
    worker.addEventListener('messageerror', () => resolve('A message from it could not be read.'));
  });
  return { service: Comlink.wrap<PicturesService>(worker), died, terminate: () => worker.terminate() };
}
