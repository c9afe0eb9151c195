import type { InspectRequest, Inspection, LoadedModel } from '../../engine/api.ts';
import { NvlmError, toPlainError, type PlainError } from '../../errors.ts';
import type { AppState, SliceTools } from './app-state.ts';
import { maxTilesFor, type ChatSettings } from './settings-slice.ts';

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
  /** What of it a model sees otherwise than people do, a sentence without its end. */
  notice: string | null;
}

type CutRequest = Omit<InspectRequest, 'image'>;

/** Of one conversation: more would not fit into any context that runs here. */
export const MOST_PICTURES = 8;

export type ImageType = 'image/png' | 'image/jpeg' | 'image/webp';

export interface ImageSlice {
  image: SharedImage | null;
  /** Pictures of the conversation behind the first, for models that take several. */
  moreImages: readonly SharedImage[];
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
  /**
   * Files that came at once: the first picture begins a conversation, the others follow where the model takes several. What is left out is
   * said.
   */
  offerFiles(files: readonly (Blob & { name?: string })[], origin: ImageOrigin): Promise<void>;
  /** Puts pictures behind those of the conversation, which goes on; the first that cannot be read ends it with `imageError`. */
  addFiles(files: readonly (Blob & { name?: string })[]): Promise<void>;
  /** Takes one of several pictures out; a conversation that was about it ends, and can be brought back. */
  removeImage(id: number): void;
  /** Counts tiles again where the model or its most tiles have changed. */
  recutImages(): Promise<void>;
  reportImageError(error: unknown): void;
  dismissImageError(): void;
}

export function createImageSlice({ set, get, engine, convertPicture }: SliceTools): ImageSlice {
  let lastId = 0;
  let pending: AbortController | null = null;
  let lastDecode: Promise<boolean> = Promise.resolve(true);
  /** What the tiles of a picture, by its bytes, were counted for. */
  const cuts = new WeakMap<Uint8Array, CutRequest>();

  function claim(name: string): AbortController {
    pending?.abort();
    pending = new AbortController();
    set({ imagePending: name, imageError: null });
    return pending;
  }

  const isOvertaken = (controller: AbortController): boolean => controller !== pending;

  async function open(offer: ImageOffer, signal: AbortSignal): Promise<SharedImage> {
    const type = sniffImageType(offer.bytes);
    if (type === null) throw notAnImage(offer.name);
    const cut = cutOf(get());
    const inspection = await engine.inspect({ image: offer.bytes, ...cut }, { signal });
    cuts.set(offer.bytes, cut);
    const { width, height } = inspection.tiling.image;
    const known = { description: null, suggestedQuestions: [], knownAnswers: {}, ...offer };
    return { ...known, id: ++lastId, type, width, height, tiles: countTiles(inspection), notice: inspection.notice };
  }

  /** The file's bytes, as PNG where only the browser can read them. */
  async function readFile(file: Blob & { name?: string }, origin: ImageOrigin): Promise<ImageOffer> {
    const name = file.name || 'picture';
    if (file.size > MAX_FILE_BYTES) throw fileTooLarge(name, file.size);
    const bytes = new Uint8Array(await file.arrayBuffer());
    if (sniffImageType(bytes) !== null || !file.type.startsWith('image/')) return { name, bytes, origin };
    return { name, bytes: (await convertPicture(file)) ?? bytes, origin };
  }

  async function decode(controller: AbortController, read: () => Promise<ImageOffer>): Promise<boolean> {
    try {
      const offer = await read();
      const image = await open(offer, controller.signal);
      if (isOvertaken(controller)) return false;
      get().imageReplaced();
      set({ image, moreImages: [], imagePending: null });
      // The model may have come meanwhile.
      void get().recutImages();
      return true;
    } catch (error) {
      if (!isOvertaken(controller)) set({ imagePending: null, imageError: toPlainError(error) });
      return false;
    }
  }

  return {
    image: null,
    moreImages: [],
    imagePending: null,
    imageError: null,
    async imageSettled() {
      // A newer picture may have come while the one before was waited for.
      while (get().imagePending !== null) await lastDecode;
    },
    offerImage: (offer) => get().offerLater(offer.name, async () => offer),
    offerLater: (name, make) => (lastDecode = decode(claim(name), make)),
    offerFile(file, origin) {
      return get().offerLater(file.name || 'picture', () => readFile(file, origin));
    },
    async offerFiles(files, origin) {
      const pictures = files.filter(({ type }) => type.startsWith('image/'));
      // A file that is no picture is offered too, so that it is said what is wrong with it.
      const [first = files[0], ...rest] = pictures;
      if (!first || !(await get().offerFile(first, origin))) return;
      const reason = onePictureOf(get());
      const others = files.length - 1 - rest.length;
      const left = [
        rest.length > 0 && reason !== null && `${counted(rest.length, 'more picture')} left out: ${reason}`,
        others > 0 && `${counted(others, 'file')} left out: not known as a picture.`,
      ].filter((words) => words !== false);
      const { toast } = get();
      // What a new picture does to the conversation can still be undone.
      if (left.length > 0) get().showToast([...(toast?.action ? [toast.text] : []), ...left].join(' '), toast?.action);
      if (rest.length > 0 && reason === null) await get().addFiles(rest);
    },
    addFiles(files) {
      const work = async (): Promise<boolean> => {
        const controller = claim(files[0]?.name || 'picture');
        try {
          for (const file of files) {
            set({ imagePending: file.name || 'picture' });
            if (allImages(get()).length >= MOST_PICTURES) throw tooManyPictures();
            const image = await open(await readFile(file, { kind: 'file' }), controller.signal);
            if (isOvertaken(controller)) return false;
            if (get().image) set({ moreImages: [...get().moreImages, image] });
            else set({ image });
          }
          set({ imagePending: null });
          return true;
        } catch (error) {
          if (!isOvertaken(controller)) set({ imagePending: null, imageError: toPlainError(error) });
          return false;
        }
      };
      return (lastDecode = work()).then(() => undefined);
    },
    removeImage(id) {
      const all = allImages(get());
      const place = all.findIndex((image) => image.id === id);
      if (place < 0 || all.length < 2) return;
      // Those that nobody has asked about yet leave the conversation as it is.
      if (get().turns.some(({ pictures }) => pictures > place)) get().imageReplaced('Picture taken out, new conversation.');
      const [image = null, ...moreImages] = all.filter((one) => one.id !== id);
      set({ image, moreImages });
    },
    async recutImages() {
      for (const { id, bytes, tiles: before } of allImages(get())) {
        const wanted = cutOf(get());
        if (sameCut(wanted, cuts.get(bytes))) continue;
        // What cannot be cut is said when it is asked about.
        const inspection = await engine.inspect({ image: bytes, ...wanted }).catch(() => null);
        if (!inspection || !sameCut(wanted, cutOf(get()))) continue;
        cuts.set(bytes, wanted);
        const tiles = countTiles(inspection);
        if (JSON.stringify(tiles) === JSON.stringify(before)) continue;
        const recut = (image: SharedImage) => (image.id === id ? { ...image, tiles } : image);
        set(({ image, moreImages }) => ({ image: image && recut(image), moreImages: moreImages.map(recut) }));
      }
    },
    reportImageError: (error) => set({ imageError: toPlainError(error) }),
    dismissImageError: () => set({ imageError: null }),
  };
}

const counted = (count: number, thing: string): string => `${count} ${thing}${count === 1 ? '' : 's'}`;

type ModelChoice = Pick<AppState, 'selectedModel' | 'loadedModel' | 'candidate' | 'models'>;

/** Why a conversation with the selected model has one picture alone; null where several may stand in it. */
export function onePictureOf({ selectedModel, loadedModel, candidate, models }: ModelChoice): string | null {
  if (loadedModel?.entry.id === selectedModel) return loadedModel.entry.family.onePicture;
  if (candidate?.id === selectedModel && candidate.plan) return candidate.plan.about.family.onePicture;
  return models?.find(({ id }) => id === selectedModel)?.family.onePicture ?? null;
}

/** How the bundled models cut, for pictures that come before a model is there. */
const NANO_TILING = { tileSize: 112, maxTiles: 6 };

/** By the rule of the model that is loaded: of no other are files read for this. */
function cutOf({ loadedModel, chatSettings }: { loadedModel: LoadedModel | null; chatSettings: ChatSettings }): CutRequest {
  if (!loadedModel?.entry.takesPictures) return NANO_TILING;
  const maxTiles = maxTilesFor(chatSettings, loadedModel);
  return { model: loadedModel.entry.id, ...(maxTiles !== undefined && { maxTiles }) };
}

function sameCut(a: CutRequest, b: CutRequest | undefined): boolean {
  return a.model === b?.model && a.tileSize === b?.tileSize && a.maxTiles === b?.maxTiles;
}

function countTiles({ tiling: { grid, tiles, options }, tokens }: Inspection): SharedImage['tiles'] {
  return { cols: grid.cols, rows: grid.rows, count: tiles.length, visualTokens: tokens.visual, tileSize: options.tileSize };
}

/** All pictures of the conversation, in the order in which they stand. */
export function allImages({ image, moreImages }: Pick<ImageSlice, 'image' | 'moreImages'>): SharedImage[] {
  return image ? [image, ...moreImages] : [];
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

function tooManyPictures(): NvlmError {
  return new NvlmError('usage', `A conversation has at most ${MOST_PICTURES} pictures here.`, 'Take one out, or begin a new conversation.');
}

function fileTooLarge(name: string, bytes: number): NvlmError {
  const size = Math.round(bytes / 2 ** 20);
  return new NvlmError('image-too-large', `“${name}” has ${size} MB.`, 'Pictures of up to 64 MB are read: make it smaller first.');
}
