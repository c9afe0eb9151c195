import type { LoadedModel } from '../../engine/api.ts';
import { NvlmError, toPlainError, type PlainError } from '../../errors.ts';
import type { SliceTools } from './app-state.ts';

/** Largest file that is read at all; the engine bounds the pixels. */
const MAX_FILE_BYTES = 64 * 2 ** 20;

export type ImageOrigin = { kind: 'file' | 'paste' | 'drop' | 'camera' | 'composed' } | { kind: 'example'; id: string };

/** A picture on offer: nothing is known about its bytes yet. */
export interface ImageOffer {
  name: string;
  /** Encoded file. */
  bytes: Uint8Array;
  origin: ImageOrigin;
  /** The whole content in words, for those who cannot see it; null when nobody knows. */
  description?: string | null;
  /** Questions that this picture can be asked; empty for a picture nobody knows. */
  suggestedQuestions?: string[];
  /** True answers by question, for pictures that the page itself drew. */
  knownAnswers?: Record<string, string>;
}

/** The picture that Chat and Tiles look at: decoded once by the engine, so known to be good. */
export interface SharedImage extends Required<ImageOffer> {
  /** Another for every picture. */
  id: number;
  type: ImageType;
  width: number;
  height: number;
  /** As the selected model cuts it. */
  tiles: { cols: number; rows: number; count: number; visualTokens: number; tileSize: number };
}

export type ImageType = 'image/png' | 'image/jpeg' | 'image/webp';

export interface ImageSlice {
  image: SharedImage | null;
  /** Name of the picture being decoded; the one before stays on show until it is known to be good. */
  imagePending: string | null;
  imageError: PlainError | null;
  /** Resolves when no picture is being decoded any more. */
  imageSettled(): Promise<void>;
  /** Resolves to whether the picture is now the shared one; a newer offer overtakes an older one. */
  offerImage(offer: ImageOffer): Promise<boolean>;
  /** The same for a picture that has yet to be made: questions asked meanwhile wait for it. */
  offerLater(name: string, make: () => Promise<ImageOffer>): Promise<boolean>;
  offerFile(file: Blob & { name?: string }, origin: ImageOrigin): Promise<boolean>;
  reportImageError(error: unknown): void;
  dismissImageError(): void;
}

export function createImageSlice({ set, get, engine, convertPicture }: SliceTools): ImageSlice {
  let lastId = 0;
  let pending: AbortController | null = null;
  let lastDecode: Promise<boolean> = Promise.resolve(true);

  function claim(name: string): AbortController {
    pending?.abort();
    pending = new AbortController();
    set({ imagePending: name, imageError: null });
    return pending;
  }

  async function decode(controller: AbortController, read: () => Promise<ImageOffer>): Promise<boolean> {
    try {
      const offer = await read();
      const type = sniffImageType(offer.bytes);
      if (type === null) throw notAnImage(offer.name);
      const { tiling, tokens } = await engine.inspect(
        { image: offer.bytes, ...tilingOf(get().loadedModel) },
        { signal: controller.signal },
      );
      if (controller !== pending) return false;
      const image: SharedImage = {
        description: null,
        suggestedQuestions: [],
        knownAnswers: {},
        ...offer,
        id: ++lastId,
        type,
        width: tiling.image.width,
        height: tiling.image.height,
        tiles: {
          cols: tiling.grid.cols,
          rows: tiling.grid.rows,
          count: tiling.tiles.length,
          visualTokens: tokens.visual,
          tileSize: tiling.options.tileSize,
        },
      };
      get().imageReplaced();
      set({ image, imagePending: null });
      return true;
    } catch (error) {
      if (controller === pending) set({ imagePending: null, imageError: toPlainError(error) });
      return false;
    }
  }

  return {
    image: null,
    imagePending: null,
    imageError: null,
    async imageSettled() {
      // A newer picture may have come while the one before was waited for.
      while (get().imagePending !== null) await lastDecode;
    },
    offerImage: (offer) => get().offerLater(offer.name, async () => offer),
    offerLater: (name, make) => (lastDecode = decode(claim(name), make)),
    offerFile(file, origin) {
      const name = file.name || 'picture';
      return get().offerLater(name, async () => {
        if (file.size > MAX_FILE_BYTES) throw fileTooLarge(name, file.size);
        const bytes = new Uint8Array(await file.arrayBuffer());
        if (sniffImageType(bytes) !== null || !file.type.startsWith('image/')) return { name, bytes, origin };
        return { name, bytes: (await convertPicture(file)) ?? bytes, origin };
      });
    },
    reportImageError: (error) => set({ imageError: toPlainError(error) }),
    dismissImageError: () => set({ imageError: null }),
  };
}

/** How the bundled models cut, for pictures that come before a model is there. */
const NANO_TILING = { tileSize: 112, maxTiles: 6 };

/** Not asked for by the model's name: the engine would read files that a load may just be writing. */
function tilingOf(model: LoadedModel | null): { tileSize: number; maxTiles: number } {
  return model?.entry.takesPictures ? { tileSize: model.tileSize, maxTiles: model.maxTiles } : NANO_TILING;
}

/** By the signature: names and declared types lie. */
export function sniffImageType(bytes: Uint8Array): ImageType | null {
  const starts = (offset: number, ...expected: number[]) => expected.every((byte, i) => bytes[offset + i] === byte);
  if (starts(0, 0x89, 0x50, 0x4e, 0x47)) return 'image/png';
  if (starts(0, 0xff, 0xd8, 0xff)) return 'image/jpeg';
  if (starts(0, 0x52, 0x49, 0x46, 0x46) && starts(8, 0x57, 0x45, 0x42, 0x50)) return 'image/webp';
  return null;
}

function notAnImage(name: string): NvlmError {
  return new NvlmError(
    'bad-image',
    `“${name}” is not a picture that can be read here.`,
    'Choose a PNG, JPEG or WebP file, or paste a picture.',
  );
}

function fileTooLarge(name: string, bytes: number): NvlmError {
  const size = Math.round(bytes / 2 ** 20);
  return new NvlmError(
    'image-too-large',
    `“${name}” has ${size} MB.`,
    'Pictures of up to 64 MB are read: make it smaller first.',
  );
}
