import * as Comlink from 'comlink';
import type { ComposeForm } from '../src/desk/compose/form.ts';
import type { RgbImage } from '../src/tiling/types.ts';
import { displayPicture, tilePicture } from './bitmaps.ts';
import { composedPicture, exampleCards, exampleFile } from './desk-pictures.ts';

export type PicturesService = typeof picturesService;

/** Everything that the page shows and that takes time to draw. Results move to the page, nothing is copied. */
export const picturesService = {
  examples: exampleCards,
  async exampleFile(id: string) {
    const file = await exampleFile(id);
    return Comlink.transfer(file, [file.buffer]);
  },
  async compose(form: ComposeForm) {
    const picture = await composedPicture(form);
    return Comlink.transfer(picture, [picture.file.buffer]);
  },
  async display(file: Blob, largestSide: number) {
    const bitmap = await displayPicture(file, largestSide);
    return bitmap && Comlink.transfer(bitmap, [bitmap]);
  },
  tile(image: RgbImage, across: number) {
    const picture = tilePicture(image, across);
    return Comlink.transfer(picture, [...new Set(Object.values(picture))]);
  },
};
