/** Signature, length and name of the header chunk, width, height, depth, colour type. */
export const NOTICE_BYTES = 26;

/**
 * What of a picture a model sees otherwise than people do, a sentence without its end; null for nothing.
 *
 * Scanners and microscopes write grey of 16 bits, which viewers show by its high byte; Pillow's convert("RGB"), and so the processor
 * that a model was trained with, ends it at 255.
 *
 * @param head the first {@link NOTICE_BYTES} of the encoded file, or all of it; need not be a picture
 */
export function pictureNotice(head: Uint8Array): string | null {
  const isPng = String.fromCharCode(...head.subarray(1, 4)) === 'PNG' && String.fromCharCode(...head.subarray(12, 16)) === 'IHDR';
  const [depth, colourType] = [head[24], head[25]];
  if (!isPng || depth !== 16 || colourType !== 0) return null;
  return 'it is grey of 16 bits, of which all above 255 of 65,535 is white to a model, as in Pillow: save it with 8 bits to keep its shades';
}
