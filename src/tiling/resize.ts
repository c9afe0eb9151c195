import type { RgbImage } from './types.ts';

/** Fraction bits of a coefficient: Pillow's 32 − 8 − 2 (8 for the sample, 2 for overshoot). */
const PRECISION_BITS = 22;
const HALF = 1 << (PRECISION_BITS - 1);
/** Resampling kernels by Pillow's names; what a checkpoint's image processor calls `resample` 3 and 1. */
export type ResizeFilter = 'bicubic' | 'lanczos';

interface Kernel {
  /** Reach in samples, to either side. */
  support: number;
  weight: (x: number) => number;
}

const KERNELS: Readonly<Record<ResizeFilter, Kernel>> = {
  bicubic: { support: 2, weight: cubic },
  lanczos: { support: 3, weight: lanczos },
};

/** Strips taller than this are shrunk vertically first, which spares Pillow a wide intermediate picture. */
const VERTICAL_FIRST_ASPECT = 100;

/** For each output sample, which input samples it is the weighted sum of. */
interface Coefficients {
  /** First input sample, an output sample each. */
  start: Int32Array;
  /** Number of input samples, an output sample each. */
  count: Int32Array;
  /** Fixed-point weights, `stride` an output sample. */
  weights: Int32Array;
  stride: number;
}

/**
 * Resize, bit for bit `Image.resize` of Pillow 12.3: the kernel widened when shrinking, horizontal pass first, rounding
 * to 8 bits after each pass, fixed-point weights of 22 bits. Aspect ratio is not kept. Pillow 13 takes the vertical pass
 * first for more shapes; NVLM was trained with releases that never did.
 * @param image not modified
 * @param width, height of the result in pixels, whole numbers ≥ 1
 * @param filter Pillow's default, bicubic with a = −0.5, or its Lanczos with three lobes
 * @returns a new picture, also when nothing changes in size
 */
export function resizeImage(image: RgbImage, width: number, height: number, filter: ResizeFilter = 'bicubic'): RgbImage {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw new RangeError(`Cannot resize to ${width}×${height}.`);
  }
  if (image.width === width && image.height === height) return { width, height, data: image.data.slice() };
  const kernel = KERNELS[filter];
  if (image.height > VERTICAL_FIRST_ASPECT * image.width && height < image.height)
    return resizeRows(resizeColumns(image, height, kernel), width, kernel);
  return resizeColumns(resizeRows(image, width, kernel), height, kernel);
}

function cubic(x: number): number {
  const a = -0.5;
  x = Math.abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

/** sinc(x) · sinc(x / 3) within three samples. */
function lanczos(x: number): number {
  return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

function sinc(x: number): number {
  if (x === 0) return 1;
  x *= Math.PI;
  return Math.sin(x) / x;
}

function coefficients(from: number, to: number, kernel: Kernel): Coefficients {
  const scale = from / to;
  const filterScale = Math.max(1, scale);
  const support = kernel.support * filterScale;
  const stride = Math.ceil(support) * 2 + 1;
  const start = new Int32Array(to);
  const count = new Int32Array(to);
  const weights = new Int32Array(to * stride);
  const raw = new Float64Array(stride);
  const inverse = 1 / filterScale;
  for (let out = 0; out < to; out++) {
    const center = (out + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const n = Math.min(from, Math.trunc(center + support + 0.5)) - first;
    let sum = 0;
    for (let i = 0; i < n; i++) {
      raw[i] = kernel.weight((i + first - center + 0.5) * inverse);
      sum += raw[i]!;
    }
    for (let i = 0; i < n; i++) {
      const weight = (sum === 0 ? raw[i]! : raw[i]! / sum) * (1 << PRECISION_BITS);
      weights[out * stride + i] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    start[out] = first;
    count[out] = n;
  }
  return { start, count, weights, stride };
}

function resizeRows(image: RgbImage, to: number, kernel: Kernel): RgbImage {
  if (image.width === to) return image;
  const { width: from, height, data } = image;
  const { start, count, weights, stride } = coefficients(from, to, kernel);
  const out = new Uint8ClampedArray(to * height * 3); // clamps the overshoot
  let at = 0;
  for (let y = 0; y < height; y++) {
    const row = y * from * 3;
    for (let x = 0; x < to; x++, at += 3) {
      let r = HALF;
      let g = HALF;
      let b = HALF;
      let source = row + start[x]! * 3;
      const first = x * stride;
      const last = first + count[x]!;
      for (let i = first; i < last; i++, source += 3) {
        const weight = weights[i]!;
        r += Math.imul(data[source]!, weight);
        g += Math.imul(data[source + 1]!, weight);
        b += Math.imul(data[source + 2]!, weight);
      }
      out[at] = r >> PRECISION_BITS;
      out[at + 1] = g >> PRECISION_BITS;
      out[at + 2] = b >> PRECISION_BITS;
    }
  }
  return { width: to, height, data: new Uint8Array(out.buffer) };
}

function resizeColumns(image: RgbImage, to: number, kernel: Kernel): RgbImage {
  if (image.height === to) return image;
  const { width, height: from, data } = image;
  const { start, count, weights, stride } = coefficients(from, to, kernel);
  const rowLength = width * 3;
  const out = new Uint8ClampedArray(rowLength * to);
  const sums = new Int32Array(rowLength); // a whole row at once, so that memory is read in order
  for (let y = 0; y < to; y++) {
    sums.fill(HALF);
    for (let i = 0; i < count[y]!; i++) {
      const weight = weights[y * stride + i]!;
      const source = (start[y]! + i) * rowLength;
      for (let x = 0; x < rowLength; x++) sums[x] = sums[x]! + Math.imul(data[source + x]!, weight);
    }
    const target = y * rowLength;
    for (let x = 0; x < rowLength; x++) out[target + x] = sums[x]! >> PRECISION_BITS;
  }
  return { width, height: to, data: new Uint8Array(out.buffer) };
}
