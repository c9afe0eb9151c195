import { expose } from '../src/bridge/expose.ts';
import { serve } from '../src/bridge/serve.ts';
import { displayPicture, tilePicture } from './bitmaps.ts';
import { composedPicture, exampleCards, exampleFile } from './desk-pictures.ts';
import { PICTURES_METHODS, type Pictures } from './pictures-api.ts';

/** Everything that the page shows and that takes time to draw. */
const pictures: Pictures = {
  examples: async () => exampleCards(),
  exampleFile,
  compose: composedPicture,
  display: displayPicture,
  tile: async (image, across) => tilePicture(image, across),
};

expose(serve(pictures, PICTURES_METHODS));
