import type { RgbImage } from './types.ts';

/** What each format's decoder hands over: pixels as stored, and how its metadata says to turn them. */
export interface DecodedImage {
  image: RgbImage;
  /** 1–8 as in {@link orient} */
  orientation: number;
}
