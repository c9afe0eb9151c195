import type { RgbImage } from './types.ts';

/** What each format's decoder hands over: pixels as stored, and how EXIF says to turn them. */
export interface DecodedImage {
  image: RgbImage;
  /** EXIF orientation 1–8 */
  orientation: number;
}
