import { PLAIN, type Methods } from '../src/bridge/methods.ts';
import type { ComposeForm } from '../src/desk/compose/form.ts';
import type { RgbImage } from '../src/tiling/types.ts';
import type { TilePicture } from './bitmaps.ts';
import type { ComposedPicture, ExampleCard } from './desk-pictures.ts';

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

/** Every method of {@link Pictures}: pictures move, nothing is copied. */
export const PICTURES_METHODS: Methods<Pictures> = {
  examples: PLAIN,
  exampleFile: { moves: ['result'] },
  compose: { moves: ['result'] },
  display: { moves: ['result'] },
  tile: { moves: ['arguments', 'result'] },
};
