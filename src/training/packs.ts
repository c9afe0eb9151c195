/** Questions about one picture that are one sample; more are a further one. What nano was trained with. */
const MOST_PACKED = 8;

/**
 * Records by their pictures: those about one picture are one sample, at the place of its first; those without one are samples of their
 * own.
 *
 * @param images of each record; null = text only
 * @returns indices of the records of each sample
 */
export function packsOf(images: readonly (string | null)[]): number[][] {
  const packs: number[][] = [];
  const open = new Map<string, number[]>();
  images.forEach((image, i) => {
    const pack = image === null ? undefined : open.get(image);
    if (pack && pack.length < MOST_PACKED) pack.push(i);
    else {
      const fresh = [i];
      packs.push(fresh);
      if (image !== null) open.set(image, fresh);
    }
  });
  return packs;
}
