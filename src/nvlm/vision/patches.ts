/**
 * Cuts normalised pixels into flattened patches on the host, in the order of the patch convolution's weight (channel, y, x), so
 * that the convolution (stride = kernel) is one matrix product.
 *
 * @param pixels [tiles, 3, S, S]
 * @returns [tiles · (S/patch)², 3 · patch²]
 */
export function toPatches(pixels: Float32Array, tiles: number, tileSize: number, patchSize: number): Float32Array {
  const grid = tileSize / patchSize;
  const patchLength = 3 * patchSize * patchSize;
  const out = new Float32Array(tiles * grid * grid * patchLength);
  let write = 0;
  for (let tile = 0; tile < tiles; tile++) {
    for (let row = 0; row < grid; row++) {
      for (let col = 0; col < grid; col++) {
        for (let channel = 0; channel < 3; channel++) {
          const plane = (tile * 3 + channel) * tileSize * tileSize;
          for (let y = 0; y < patchSize; y++) {
            const read = plane + (row * patchSize + y) * tileSize + col * patchSize;
            out.set(pixels.subarray(read, read + patchSize), write);
            write += patchSize;
          }
        }
      }
    }
  }
  return out;
}
